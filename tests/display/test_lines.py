from __future__ import annotations

from migkit import frames
from migkit.display import lines
from migkit.findings import Rule, to_frame
from tests.display.samples import statements, table_changes


def texts(found: list[lines.Line]) -> list[str]:
    return [str(line) for line in found]


def test_tables_read_as_promised() -> None:
    assert texts(lines.table_lines(table_changes()))[:6] == [
        "✓ Table users: 3 rows (unchanged)",
        "⚠ Table orders: 500,000 → 499,000 rows (rows removed)",
        "⚠ Table items: 10 rows (data changed)",
        "+ Table profiles was added (7 rows)",
        "✗ Table old was removed (3 rows)",
        "⚠ Table shop.new_name was renamed from old_name (3 rows)",
    ]


def test_no_name_breaks_a_line() -> None:
    assert not [line for line in texts(lines.table_lines(table_changes())) if "\n" in line or "\x1b" in line]


def test_a_table_that_could_not_be_compared_is_not_called_unchanged() -> None:
    rows = [
        ("public", "t", "unchanged", None, None, None, content, None, None) for content in ("not compared", "unproven")
    ]
    assert texts(lines.table_lines(frames.TABLE_CHANGES.build(rows))) == [
        "⚠ Table t: rows not counted (data not compared)",
        "⚠ Table t: rows not counted (data unproven)",
    ]


def test_columns_tell_only_changes() -> None:
    rows = [
        ("public", "t", "a", "unchanged", "intact", None, None, None, None, 0, 0, None),
        ("public", "t", "b", "added", "added", None, None, None, None, None, 5, None),
        ("public", "t", "c", "removed", "removed", None, None, None, None, 0, None, None),
        ("public", "t", "d", "renamed", "intact", "old", None, None, None, 0, 0, None),
        ("public", "t", "e", "changed", "retyped", None, None, None, None, 0, 0, "type: integer → bigint"),
        ("public", "t", "f", "unchanged", "changed", None, 61052, None, "id 0..511", 0, 0, None),
    ]
    assert texts(lines.column_lines(frames.COLUMN_CHANGES.build(rows))) == [
        "+ Column t.b was added",
        "✗ Column t.c was removed",
        "⚠ Column t.d was renamed from old, data intact",
        "⚠ Column t.e was changed: type: integer → bigint; data intact",
        "⚠ Column t.f: data changed in 61,052 rows where id 0..511",
    ]


def test_other_changes() -> None:
    constraints = frames.CONSTRAINT_CHANGES.build([("public", "t", "t_fk", "foreign key", "removed", None)])
    indexes = frames.INDEX_CHANGES.build(
        [("public", "t", "t_i", "added", None), ("public", "t", "u", "unchanged", None)]
    )
    objects = frames.OBJECT_CHANGES.build([("view", "shop", "v", None, "changed", "owner: a → b")])
    assert texts(lines.constraint_lines(constraints)) == ["✗ Foreign key t_fk on t was removed"]
    assert texts(lines.index_lines(indexes)) == ["+ Index t_i on t was added"]
    assert texts(lines.object_lines(objects)) == ["⚠ View shop.v was changed: owner: a → b"]


def test_orphans_say_how_many_are_new() -> None:
    rows = [
        ("public", "t", "fk", "p", 1, 3, 2),
        ("public", "t", "old", "p", 1, 1, 0),
        ("public", "t", "ok", "p", 0, 0, 0),
    ]
    assert texts(lines.orphan_lines(frames.ORPHAN_CHANGES.build(rows))) == [
        "✗ Foreign key fk on t: 3 rows without a parent (2 of them new)",
        "⚠ Foreign key old on t: 1 row without a parent (as before)",
    ]


def test_statements_read_as_promised() -> None:
    assert texts(lines.statement_lines(statements())) == [
        "✓ Created table profiles (0.12s)",
        "✗ ALTER TABLE x RENAME TO y (0.05s): no such table: x <b>",
    ]


def test_checks_say_what_was_expected() -> None:
    checks = frames.CHECKS.build(
        [("Table t exists", True, "", ""), ("Column t.a", False, "bigint", "integer"), ("Index i", None, "", "")]
    )
    assert texts(lines.check_lines(checks)) == [
        "✓ Table t exists",
        "✗ Column t.a: expected bigint, found integer",
        "⚠ Index i: not checked",
    ]


def test_a_finding_is_one_line_of_bounded_length() -> None:
    told = "View v was changed: SELECT 1\n  FROM a;\n" + "x" * 1000
    rule = Rule("some-rule", "warning", "It happens", "It hurts", "Do not", "bad", "good")
    [line] = texts(lines.finding_lines(to_frame([rule.finding("v", told)])))
    assert "\n" not in line
    assert line.startswith("⚠ View v was changed: SELECT 1 FROM a; xxx")
    assert line.endswith("xxx [some-rule]")
    assert len(line) < 330


def test_counts_come_in_a_fixed_order() -> None:
    assert lines.change_counts(table_changes()) == "1 added, 1 removed, 1 renamed, 12 unchanged"


def test_what_tells_something_survives_the_cap() -> None:
    many = [lines.Line("✓", f"fine {number}") for number in range(100)] + [lines.Line("✗", "broken")]
    assert texts(lines.capped(many, 3, "table")) == ["✗ broken", "✓ fine 0", "✓ fine 1", "· and 98 tables more"]
