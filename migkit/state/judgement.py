"""From facts to findings: pure functions over what differs and what was declared."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from migkit.allowances import Allowance
from migkit.findings import Finding, Rule
from migkit.state import rules
from migkit.state.changes import Pair
from migkit.state.content_facts import ColumnFact, TableFact
from migkit.state.facts import ComparisonFacts
from migkit.state.following import find_gone
from migkit.state.sequences import movement

CONTENT_RULES = frozenset(
    rule.id
    for rule in (
        rules.TABLE_LOST,
        rules.COLUMN_LOST,
        rules.ROWS_LOST,
        rules.DATA_CHANGED,
        rules.LOSSY_TYPE,
        rules.CONTENT_UNPROVEN,
        rules.NOT_COMPARED,
    )
)


# Of the places that only the schema dump shows; more say no more.
_ELSEWHERE_TOLD = 10


class Declarations:
    """What a migration declares as intended, and which of it was met."""

    def __init__(self, allowances: Sequence[Allowance], bookkeeping: frozenset[str] = frozenset()) -> None:
        self._bookkeeping = bookkeeping
        self._declared = {(one.verb, one.target): one for one in allowances}
        self._met: set[tuple[str, str]] = set()

    def covers(self, verb: str, *targets: str) -> bool:
        """Tell whether one of `targets` was declared, and remember that it was met."""
        if any(target.partition(".")[0] in self._bookkeeping for target in targets):
            return True
        met = [(verb, target) for target in targets if (verb, target) in self._declared]
        self._met.update(met)
        return bool(met)

    @property
    def unmet(self) -> list[Allowance]:
        """Declarations that nothing corresponded to."""
        return [one for key, one in self._declared.items() if key not in self._met]


def judge(
    facts: ComparisonFacts, allowances: Sequence[Allowance], bookkeeping: frozenset[str] = frozenset()
) -> list[Finding]:
    """Judge what differs.

    Parameters
    ----------
    facts : ComparisonFacts
        What differs.
    allowances : sequence of Allowance
        What the migration declares.
    bookkeeping : frozenset of str
        Tables in which the migration's own tool notes what is applied; that they change is no damage.

    Returns
    -------
    list of Finding
        Errors are what was destroyed without being declared.
    """
    declared = Declarations(allowances, bookkeeping)
    findings = [
        *_tables(facts, declared),
        *_columns(facts, declared),
        *_columns_of_views(facts, declared),
        *_constraints(facts, declared),
        *_indexes(facts, declared),
        *_objects(facts, declared),
        *_orphans(facts, declared),
        *_elsewhere(facts),
    ]
    findings += [
        rules.ALLOWANCE_UNUSED.finding(str(one), f"{one} was declared and did not happen") for one in declared.unmet
    ]
    return findings


def _tables(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    for fact in facts.tables:
        label = facts.label(fact.name)
        if fact.change == "removed":
            if not declared.covers("drop_table", label):
                yield rules.TABLE_LOST.finding(label, f"Table {label} was removed ({_rows(fact.rows_before)})")
            continue
        if fact.renamed_from:
            yield rules.RENAMED.finding(label, f"Table {fact.renamed_from} was renamed to {label}")
        if fact.detail:
            yield rules.TABLE_CHANGED.finding(label, f"Table {label} changed: {fact.detail}")
        yield from _rows_lost(facts, fact, label, declared)
        yield from _rows_exchanged(facts, fact, label, declared)


def _rows_lost(facts: ComparisonFacts, fact: TableFact, label: str, declared: Declarations) -> Iterator[Finding]:
    if fact.change == "added" or (fact.pair.after or {}).get("kind") == "partition":
        return
    proven = facts.proven.get(fact.name)
    removed = max(0, -(fact.rows_diff or 0))
    if proven is not None and fact.pair.before and fact.pair.before["key"]:
        removed = max(removed, proven.removed)
    if removed and not declared.covers("delete_rows", label):
        such = f", such as {', '.join(proven.removed_samples)}" if proven and proven.removed_samples else ""
        yield rules.ROWS_LOST.finding(label, f"Table {label} lost {_rows(removed)}{such}")


def _rows_exchanged(facts: ComparisonFacts, fact: TableFact, label: str, declared: Declarations) -> Iterator[Finding]:
    """Judge a table without a key whose rows are others although no column's values are."""
    moved = fact.content in ("changed", "rows replaced") and not (fact.pair.before or {}).get("key")
    proven = facts.proven.get(fact.name)
    # Rows were compared without the columns whose values changed: what was found concerns the others.
    others_moved = proven is not None and proven.without and proven.removed
    if not moved or (_column_changed(facts, fact) and not others_moved):
        return
    if not declared.covers("change_data", f"{label}.*"):
        yield rules.DATA_CHANGED.finding(label, f"Values of table {label} moved between rows")


def _column_changed(facts: ComparisonFacts, table: TableFact) -> bool:
    return any(fact.table == table.name and fact.content == "changed" for fact in facts.columns)


def _columns(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    gone = {fact.name for fact in facts.tables if fact.change == "removed"}
    tables = {fact.name: fact for fact in facts.tables}
    told = _with_undeclared_changes(facts, declared)
    for fact in facts.columns:
        if fact.table in gone or fact.table not in tables:
            continue
        where = f"{facts.label(fact.table)}.{fact.column}"
        if fact.change == "removed":
            if not declared.covers("drop_column", where):
                yield rules.COLUMN_LOST.finding(where, f"Column {where} was removed")
            continue
        if fact.renamed_from:
            old = f"{facts.label(fact.table)}.{fact.renamed_from}"
            yield rules.RENAMED.finding(where, f"Column {old} was renamed to {fact.column}")
        yield from _column_content(fact, where, tables[fact.table], facts.label(fact.table), told, declared)
        yield from _column_definition(fact, where)


def _with_undeclared_changes(facts: ComparisonFacts, declared: Declarations) -> set[tuple[str, str]]:
    """Return the tables of which a changed column fails the verdict; those beside it need no words of theirs."""
    changed = [fact for fact in facts.columns if fact.content == "changed"]
    return {fact.table for fact in changed if not _is_declared(fact, facts.label(fact.table), declared)}


def _is_declared(fact: ColumnFact, table: str, declared: Declarations) -> bool:
    """Tell whether a column's values were to change."""
    where = f"{table}.{fact.column}"
    covered = declared.covers("change_data", where, f"{table}.*")
    return bool(fact.pair.difference("type") and declared.covers("lossy_type", where)) or covered


def _columns_of_views(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    """Judge the columns of views that are still there: a view is what its readers can name, however it is defined.

    Where a column of its table was renamed, the definition of the view may be the same but for that name.
    """
    kept = {pair.key[1:] for pair in facts.objects if pair.key[0] == "view" and pair.before and pair.after}
    tables = {fact.name for fact in facts.tables}
    for fact in facts.columns:
        if fact.table not in kept or fact.table in tables:
            continue
        view = facts.label(fact.table)
        where = f"{view}.{fact.column}"
        if fact.change == "removed":
            # Who declares that the view may go says no less.
            if not declared.covers("drop_column", where) and not declared.covers(
                "drop_object", f"view.{fact.table[1]}"
            ):
                yield rules.COLUMN_LOST.finding(where, f"Column {fact.column} of view {view} was removed")
        elif fact.change == "added":
            yield rules.VIEW_WIDENED.finding(where, f"View {view} has another column: {fact.column}")


def _column_content(
    fact: ColumnFact, where: str, of: TableFact, table: str, told: Collection[tuple[str, str]], declared: Declarations
) -> Iterator[Finding]:
    place = f" ({fact.where})" if fact.where else ""
    place += f", such as {', '.join(fact.sample_keys)}" if fact.sample_keys else ""
    if fact.content == "changed":
        how_many = f"{_rows(fact.changed_rows)} of " if fact.changed_rows else ""
        type_change = fact.pair.difference("type")
        if not _is_declared(fact, table, declared):
            rule = rules.LOSSY_TYPE if type_change else rules.DATA_CHANGED
            by = f" with {type_change}" if type_change else ""
            yield rule.finding(where, f"{how_many}{where} changed{by}{place}".strip())
    elif fact.content == "unproven" and not declared.covers("change_data", where, f"{table}.*"):
        has_key = (of.pair.before or {}).get("key")
        if not has_key and fact.table in told:
            return
        came = f"Rows came or went among those of {where}; the others were not compared{place}"
        # Rows without a key are told apart by all of their columns.
        others = f"{where} was not compared: {table} has no key, and other columns or values than before"
        yield rules.CONTENT_UNPROVEN.finding(where, came if has_key or of.rows_diff else others)
    elif fact.content == "not compared":
        yield rules.NOT_COMPARED.finding(where, f"The content of {where} was not compared")
    elif fact.content == "retyped":
        yield rules.RETYPED.finding(where, f"{where} has another type and every value: {fact.pair.difference('type')}")


def _column_definition(fact: ColumnFact, where: str) -> Iterator[Finding]:
    others = [str(one) for one in fact.pair.differences if one.fact != "type"]
    if others:
        yield rules.COLUMN_CHANGED.finding(where, f"Column {where} changed: {'; '.join(others)}")


def _constraints(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    yield from _hanging_on_tables(
        facts,
        facts.constraints,
        declared,
        "Constraint",
        "drop_constraint",
        rules.CONSTRAINT_LOST,
        rules.CONSTRAINT_CHANGED,
    )


def _indexes(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    yield from _hanging_on_tables(
        facts, facts.indexes, declared, "Index", "drop_index", rules.INDEX_LOST, rules.INDEX_CHANGED
    )
    for pair in facts.indexes:
        if pair.change == "added" and pair.after and pair.after["valid"] is False:
            where = f"{facts.label((pair.key[0], pair.key[1]))}.{pair.key[2]}"
            yield rules.INDEX_INVALID.finding(where, f"Index {where} is not valid")


def _hanging_on_tables(
    facts: ComparisonFacts,
    pairs: Iterable[Pair],
    declared: Declarations,
    noun: str,
    verb: str,
    lost: Rule,
    changed: Rule,
) -> Iterator[Finding]:
    """Judge constraints or indexes; those of a table that is gone went with it, those of a dropped column too."""
    gone = find_gone(facts)
    for pair in pairs:
        table = (pair.key[0], pair.key[1])
        if pair.change in ("added", "unchanged") or table in gone.tables:
            continue
        if pair.change == "removed" and gone.takes_along(table, pair.before or {}):
            continue
        where = f"{facts.label(table)}.{pair.key[2]}"
        name = pair.difference("name")
        if declared.covers(verb, where, *([f"{facts.label(table)}.{name.before}"] if name else [])):
            continue
        if pair.change == "renamed":
            old = (pair.before or {})["name"]
            yield rules.RENAMED.finding(where, f"{noun} {old} on {facts.label(table)} was renamed to {pair.key[2]}")
        elif pair.change == "removed":
            why = " with one of its columns" if gone.tears(table, pair.before or {}) else ""
            yield lost.finding(where, f"{noun} {pair.key[2]} on {facts.label(table)} was removed{why}")
        elif {one.fact for one in pair.differences} <= {"comment", "name"}:
            yield rules.OBJECT_CHANGED.finding(where, f"{noun} {where} changed: {pair.detail}")
        else:
            yield changed.finding(where, f"{noun} {pair.key[2]} on {facts.label(table)} changed: {pair.detail}")


def _objects(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    gone = find_gone(facts)
    for pair in facts.objects:
        if pair.change not in ("removed", "changed"):
            continue
        kind, _, name = pair.key
        row = pair.before or {}
        if pair.change == "removed" and gone.takes_object(kind, row):
            continue
        if declared.covers("drop_object", f"{kind}.{name}"):
            continue
        if pair.change == "removed":
            yield rules.OBJECT_LOST.finding(f"{kind} {name}", f"The {kind} {name} was removed")
        else:
            rule = rules.OBJECT_DAMAGED if _is_damage(pair) else rules.OBJECT_CHANGED
            doubt = " (it cycles: whether it went round or was set back cannot be told)"
            told = f"{pair.detail}{doubt if movement(pair) == 'unknown' else ''}"
            yield rule.finding(f"{kind} {name}", f"The {kind} {name} changed: {told}")


def _is_damage(pair: Pair) -> bool:
    """Tell whether a changed object lost a part: labels or privileges that are a list, a switch, a sequence's value."""
    if movement(pair) == "back":
        return True
    definition = pair.difference("definition")
    if definition is None or pair.key[0] not in ("enum", "grant", "trigger", "policy"):
        return False
    if pair.key[0] in ("enum", "grant"):
        return not _is_subsequence(_parts(definition.before), _parts(definition.after))
    return "disabled" in str(definition.after).lower() and "disabled" not in str(definition.before).lower()


def _parts(definition: object) -> list[str]:
    return str(definition).strip("()").split(", ")


def _is_subsequence(parts: Sequence[str], of: Sequence[str]) -> bool:
    rest = iter(of)
    return all(part in rest for part in parts)


def _orphans(facts: ComparisonFacts, declared: Declarations) -> Iterator[Finding]:
    for fact in facts.orphans:
        if not fact.new or fact.new < 0:
            continue
        where = f"{facts.label((fact.key[0], fact.key[1]))}.{fact.key[2]}"
        if not declared.covers("new_orphans", where):
            yield rules.NEW_ORPHANS.finding(
                where, f"{_rows(fact.new)} of {fact.key[1]} without a parent in {fact.referenced} ({fact.key[2]})"
            )


def _elsewhere(facts: ComparisonFacts) -> Iterator[Finding]:
    for one in facts.elsewhere[:_ELSEWHERE_TOLD]:
        yield rules.SCHEMA_DIFFERS_ELSEWHERE.finding(one.head, f"The schema differs elsewhere: {one}")
    more = len(facts.elsewhere) - _ELSEWHERE_TOLD
    if more > 0:
        where = f"in {more:,} more places"
        yield rules.SCHEMA_DIFFERS_ELSEWHERE.finding(where, f"The schema differs elsewhere: {where}")


def _rows(number: int | None) -> str:
    if number is None:
        return "rows"
    return f"{number:,} row" if number == 1 else f"{number:,} rows"
