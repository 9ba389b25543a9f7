"""What a migration may destroy: the grammar of ``allow`` entries, in one place for everybody who reads them.

===================== ==============================================
entry                 allows
===================== ==============================================
drop_table:T          the table T to be gone
drop_column:T.C       the column C of T to be gone
delete_rows:T         rows of T to be gone
change_data:T.C       values of C to differ
lossy_type:T.C        a type change of C that loses something
drop_constraint:T.N   the constraint N of T to be gone
drop_index:T.N        the index N of T to be gone
drop_object:KIND.N    the object N of this kind to be gone
new_orphans:T.N       rows that break the foreign key N of T
===================== ==============================================

A target is compared as text: a table of another than the default schema is written ``schema.table``, and names that
hold dots are written as they are.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from migkit.errors import MigrationInvalid

_WHOLE_TABLE = frozenset({"drop_table", "delete_rows"})
_PART_OF_TABLE = frozenset(
    {"drop_column", "change_data", "lossy_type", "drop_constraint", "drop_index", "drop_object", "new_orphans"}
)
VERBS = _WHOLE_TABLE | _PART_OF_TABLE


@dataclass(frozen=True)
class Allowance:
    """One declared destruction.

    Attributes
    ----------
    verb : str
        One of :data:`VERBS`.
    target : str
        What it is about, as written.
    """

    verb: str
    target: str

    def __str__(self) -> str:
        return f"{self.verb}:{self.target}"


def parse_allowance(text: str) -> Allowance:
    """Read one entry of ``allow``.

    Parameters
    ----------
    text : str
        ``verb:target``.

    Returns
    -------
    Allowance
        The entry in its parts.

    Raises
    ------
    MigrationInvalid
        If the verb is unknown (the nearest one is named), or the target is missing or incomplete.

    Examples
    --------
    >>> parse_allowance("drop_column:users.legacy_flag").target
    'users.legacy_flag'
    """
    verb, colon, target = (part.strip() for part in text.partition(":"))
    if verb not in VERBS:
        raise MigrationInvalid(f"allow knows no {verb!r}", where=f"allow entry {text!r}", next_step=_suggest(verb))
    if not colon or not target:
        raise MigrationInvalid(
            f"{verb} needs a target", where=f"allow entry {text!r}", next_step=f"Write {verb}:{_shape(verb)}."
        )
    if verb in _PART_OF_TABLE and not all(target.partition(".")[::2]):
        raise MigrationInvalid(
            f"{verb} needs a target of two parts",
            where=f"allow entry {text!r}",
            next_step=f"Write {verb}:{_shape(verb)}.",
        )
    return Allowance(verb, target)


def _shape(verb: str) -> str:
    if verb in _WHOLE_TABLE:
        return "TABLE"
    if verb == "drop_object":
        return "KIND.NAME"
    return "TABLE.COLUMN" if verb in {"drop_column", "change_data", "lossy_type"} else "TABLE.NAME"


def _suggest(verb: str) -> str:
    nearest = difflib.get_close_matches(verb, sorted(VERBS), n=1, cutoff=0.5)
    return f"Did you mean {nearest[0]!r}?" if nearest else f"Known: {', '.join(sorted(VERBS))}."
