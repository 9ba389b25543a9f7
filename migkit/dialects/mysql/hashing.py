"""How a value becomes 64 bits inside the server, and how its row's key is bound into them.

A value has two 32-bit hashes: for numbers and instants its low and high 32 bits (so that no two values share them),
for everything else two different cyclic redundancy checks of its canonical text. Such checks are linear, and a sum of
linear things does not notice two values that change places. So each half is XORed with a number that is made of the
row's key, and the halves are multiplied: ``(low ^ a) * (high ^ b)``, 64 bits without overflow.

``a`` and ``b`` are session variables, assigned once per row in the ``WHERE`` clause, which the server works off before
anything is summed up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from migkit.dialects.mysql.sql import quote

WORD = 0xFFFFFFFF
# What key columns are bound to: they have no key themselves.
SEED_A = 0x9E3779B9
SEED_B = 0x85EBCA6B
# Odd multipliers that spread a cyclic redundancy check: XOR is no longer linear in what comes out.
SPREAD_A = 0xC2B2AE35
SPREAD_B = 0x27D4EB2F
MICROSECOND_SPREAD = 0x9E3779B1
# What stands for NULL within a whole row.
NULL_A = 0x5BD1E995
NULL_B = 0x1B873593

SLICE_BITS = 4

TextHash = Callable[[str], str]


@dataclass(frozen=True)
class Hash:
    """The two hashes an engine offers for texts, each a function from SQL to SQL."""

    method: str
    first: TextHash
    second: TextHash


def crc32(expression: str) -> str:
    """Hash with the polynomial of Ethernet."""
    return f"CRC32({expression})"


def crc32_backwards(expression: str) -> str:
    """Hash the reversed text, for servers with one polynomial only."""
    return f"CRC32(REVERSE({expression}))"


def crc32c(expression: str) -> str:
    """Hash with Castagnoli's polynomial, which modern processors compute by themselves."""
    return f"CRC32C({expression})"


ONE_POLYNOMIAL = Hash("crc32*crc32r/2", crc32, crc32_backwards)
TWO_POLYNOMIALS = Hash("crc32*crc32c/2", crc32, crc32c)


@dataclass(frozen=True)
class Form:
    """How values of one content type are read.

    Parameters
    ----------
    text : str
        Their canonical text, as a template over ``{c}``.
    low, high : str, optional
        Two 32-bit numbers that tell all values apart, where the type has them.
    costly : bool
        The text is worth keeping in a variable between its two hashes.
    """

    text: str
    low: str | None = None
    high: str | None = None
    costly: bool = False


def _integer(value: str) -> Form:
    return Form(f"({value})", f"(({value}) & {WORD})", f"(({value}) >> 32)")


def _without_zeros(value: str) -> str:
    return f"TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM {value}))"


def _exact_instant() -> Form:
    """Read an instant with a fraction; without one it reads like an instant whose type has none, number and text."""
    seconds = _integer("({c} + 0) DIV 1")
    microseconds = f"((MICROSECOND({{c}}) * {MICROSECOND_SPREAD}) & {WORD})"
    return Form(_without_zeros("({c} + 0)"), seconds.low, f"({seconds.high} ^ {microseconds})", costly=True)


# By content type, the token that the catalog gives a column.
FORMS: dict[str, Form] = {
    "integer": Form("{c}", f"({{c}} & {WORD})", "({c} >> 32)"),
    # ZEROFILL and YEAR are padded with zeros when read as text, BIT is read as bytes.
    "padded integer": _integer("{c} + 0"),
    "decimal": Form("{c}"),
    "padded decimal": Form("({c} + 0)"),
    "fraction": Form(_without_zeros("{c}"), costly=True),
    "padded fraction": Form(_without_zeros("({c} + 0)"), costly=True),
    # A point carries the bits of its coordinates: exact, negative zero included, and much faster than writing digits.
    "float": Form("POINT({c}, 0)"),
    # 20201122063000: zero dates and partial dates are themselves. A date is its midnight.
    "date": _integer("({c} + 0) * 1000000"),
    "instant": _integer("{c} + 0"),
    "exact instant": _exact_instant(),
    "zoned instant": _integer("{c} + 0"),
    "exact zoned instant": _exact_instant(),
    "time": Form("{c}"),
    "exact time": Form(_without_zeros("{c}"), costly=True),
    "text": Form("{c}"),
    "converted text": Form("CONVERT({c} USING utf8mb4)"),
    "bytes": Form("{c}"),
    "written": Form("CAST({c} AS CHAR)", costly=True),
}

_WHOLE = "({c} = TRUNCATE({c}, 0) AND {c} BETWEEN -9223372036854775808 AND 18446744073709551615)"
_WRITTEN_INTEGER = "({c} REGEXP '^(0|-?[1-9][0-9]{{0,17}})$' AND {c} NOT LIKE '%\\n')"
# TIMESTAMP is read as UTC; a change to or from DATETIME moves it to the zone in which the server's sessions begin.
_TO_UTC = "CONVERT_TZ({c}, @@GLOBAL.time_zone, '+00:00')"
_FROM_UTC = "CONVERT_TZ({c}, '+00:00', @@GLOBAL.time_zone)"


def _as_integer(condition: str) -> Form:
    """Read as an integer what one can hold; anything else is another value than before, by whatever number."""
    low, high = (
        f"IF({{c}} < 0, CAST({{c}} AS SIGNED) {half}, CAST({{c}} AS UNSIGNED) {half})"
        for half in (f"& {WORD}", ">> 32")
    )
    return Form("{c}", f"IF({condition}, {low}, CRC32({{c}}))", f"IF({condition}, {high}, CRC32(REVERSE({{c}})))")


def _on_other_clock(kind: str, conversion: str) -> Form:
    form = FORMS[kind]
    assert form.low
    assert form.high
    text, low, high = (half.replace("{c}", conversion) for half in (form.text, form.low, form.high))
    return Form(text, low, high, form.costly)


# For columns that had another type: what is kept has the digest that it had.
FORMS |= {
    "decimal as integer": _as_integer(_WHOLE),
    "integer as decimal": Form("{c}"),
    "text as integer": _as_integer(_WRITTEN_INTEGER),
    "integer as text": Form("{c}"),
    "instant as zoned instant": _on_other_clock("instant", _TO_UTC),
    "exact instant as zoned instant": _on_other_clock("exact instant", _TO_UTC),
    "zoned instant as instant": _on_other_clock("zoned instant", _FROM_UTC),
    "exact zoned instant as instant": _on_other_clock("exact zoned instant", _FROM_UTC),
}
_FAMILIES = {"fraction": "decimal", "exact instant": "instant", "exact zoned instant": "zoned instant"}


def other_forms(earlier: str, now: str) -> tuple[str, ...]:
    """Return the forms in which a column can be digested that had another type.

    Examples
    --------
    >>> other_forms("integer", "fraction")
    ('decimal as integer',)
    """
    now = "decimal" if now == "fraction" else now
    form = earlier if earlier.startswith(f"{now} as ") else f"{now} as {_FAMILIES.get(earlier, earlier)}"
    return (form,) if form in FORMS else ()


@dataclass(frozen=True)
class RowHash:
    """SQL for the digests of one table.

    Parameters
    ----------
    hash : Hash
        The engine's hashes.
    columns : sequence of (name, content_type)
        The columns to digest.
    key : sequence of str
        The key columns; empty for a table without a key.
    nullable : set of str
        Columns that may be NULL: a key taken over from an earlier state may have become so.
    """

    hash: Hash
    columns: Sequence[tuple[str, str]]
    key: Sequence[str]
    nullable: frozenset[str]

    def sums(self) -> list[str]:
        """Return, per column, the expression whose sum is its digest."""
        return [self._summand(name, kind) for name, kind in self.columns]

    def binding(self) -> str:
        """Return the condition that assigns ``a`` and ``b`` for each row; always true. Empty without a key."""
        parts = [part for stage, name in enumerate(self.key, 1) for part in self._stage(name, stage)]
        return f"GREATEST({', '.join(parts)}) >= 0" if parts else ""

    def slice(self, bits: int = SLICE_BITS) -> str:
        """Return the slice of the key's hash, or of the whole row's without a key, that a row belongs to."""
        return f"(@migkit_a{len(self.key) or 1} >> {32 - bits})"

    def seed(self) -> str:
        """Return the hash of the key, or of the whole row without one, by which rows are told apart."""
        stage = len(self.key) or 1
        return f"(@migkit_a{stage} << 32 | @migkit_b{stage})"

    def whole_row(self) -> tuple[str, str]:
        """Return the condition that runs ``a`` and ``b`` through all columns, and what to sum then."""
        parts: list[str] = []
        # The server assigns a constant once, not once per row: so the first column meets the seeds themselves.
        a, b = str(SEED_A), str(SEED_B)
        for name, _ in self.columns:
            first, second = self._halves(name)
            parts.append(_assign("migkit_a1", f"{first} ^ {a}", SPREAD_A))
            parts.append(_assign("migkit_b1", f"{second} ^ {b}", SPREAD_B))
            a, b = "@migkit_a1", "@migkit_b1"
        return f"GREATEST({', '.join(parts)}) >= 0", _bound("@migkit_a1", "@migkit_b1", SEED_B, SEED_A)

    def _summand(self, name: str, kind: str) -> str:
        if name in self.key:
            # Its own hash is in the variables already, chained to the key columns before it.
            stage = self.key.index(name) + 1
            product = _bound(f"@migkit_a{stage}", f"@migkit_b{stage}", SEED_A, SEED_B)
            return f"IF({quote(name)} IS NULL, NULL, {product})" if name in self.nullable else product
        if not self.key:
            return _bound(*self._text_halves(name), SEED_A, SEED_B)
        form, a, b = FORMS[kind], f"@migkit_a{len(self.key)}", f"@migkit_b{len(self.key)}"
        if form.low is None or form.high is None:
            return _bound(*self._text_halves(name), a, b)
        return _bound(form.low.format(c=quote(name)), form.high.format(c=quote(name)), a, b)

    def _text_halves(self, name: str) -> tuple[str, str]:
        """Return both hashes of a column's canonical text, the first evaluated first."""
        form = FORMS[dict(self.columns)[name]]
        text = form.text.format(c=quote(name))
        if form.costly:
            return self.hash.first(f"@migkit_text := {text}"), self.hash.second("@migkit_text")
        return self.hash.first(text), self.hash.second(text)

    def _halves(self, name: str) -> tuple[str, str]:
        """Return both hashes of a column, never NULL."""
        first, second = self._text_halves(name)
        if name in self.nullable:
            return f"COALESCE({first}, {NULL_A})", f"COALESCE({second}, {NULL_B})"
        return first, second

    def _stage(self, name: str, stage: int) -> list[str]:
        first, second = self._halves(name)
        if stage > 1:
            first, second = f"{first} ^ @migkit_a{stage - 1}", f"{second} ^ @migkit_b{stage - 1}"
        return [_assign(f"migkit_a{stage}", first, SPREAD_A), _assign(f"migkit_b{stage}", second, SPREAD_B)]


def variables(stages: int) -> str:
    """Return the statement that makes the variables unsigned: what a variable held last decides how the next query
    that reads it calculates.
    """
    names = [f"migkit_{half}{stage}" for stage in range(1, max(stages, 1) + 1) for half in "ab"]
    return "SET @migkit_text = '', " + ", ".join(f"@{name} = CAST(0 AS UNSIGNED)" for name in names)


def _bound(low: str, high: str, a: str | int, b: str | int) -> str:
    return f"({low} ^ {a}) * ({high} ^ {b})"


def _assign(variable: str, expression: str, spread: int) -> str:
    return f"(@{variable} := (({expression}) * {spread}) >> 16 & {WORD})"
