"""How the content of each type is hashed inside the server: 64 bits, exact, the same on every version.

The extended hash functions of the types are fast but not all of them tell every value apart: ``hash_numeric_extended``
ignores the sign and folds NaN and the infinities, ``jsonb_hash_extended`` inherits that and ignores nesting,
``hash_array_extended`` ignores dimensions, the 64-bit integers, times and dates are folded to 32 bits, enums hash their
OIDs, floats take -0 for 0, and an interval's day equals its 24 hours. Each expression below repairs that or goes
around it. Every expression uses its seed exactly once, so that chains of them grow linearly, and is NULL for NULL.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

# A change of any expression changes this name: digests of different methods are never compared.
METHOD = "postgresql-hash64-1"

# The first release in which bytea has a hash function that SQL can call; before, it is reached through a record.
_BYTEA_HASH_SINCE = 18

Expression = Callable[[str, str, int], str]


# The zone of the database or the role, in which PostgreSQL itself converts between timestamps with and without one;
# a capture works in UTC.
_ZONE = "(SELECT reset_val FROM pg_catalog.pg_settings WHERE name = 'TimeZone')"
_FAMILIES = {"int2": "integer", "int4": "integer", "int8": "integer", "varchar": "text"}
_AS = " as "


def digest(column: str, content_type: str, seed: str, release: int) -> str:
    """Return SQL for the 64-bit hash of a column's value.

    Parameters
    ----------
    column : str
        SQL of the column, quoted.
    content_type : str
        The token that the catalog gave the column: the name of its base type, or of a kind of type.
    seed : str
        SQL of the bigint seed.
    release : int
        The server's major version; it changes the way, never the value.
    """
    return (_EXPRESSIONS.get(content_type) or _OTHER_FORMS.get(content_type) or _as_text)(column, seed, release)


def other_forms(earlier: str, now: str) -> tuple[str, ...]:
    """Return the forms in which a column can be digested that had another type.

    Examples
    --------
    >>> other_forms("timestamp", "timestamptz")
    ('timestamptz as timestamp',)
    """
    now = _FAMILIES.get(now, now)
    form = earlier if earlier.startswith(f"{now}{_AS}") else f"{now}{_AS}{_FAMILIES.get(earlier, earlier)}"
    return (form,) if form in _OTHER_FORMS else ()


def is_integer(content_type: str) -> bool:
    """Tell whether the type is one of the integers that keys can be segmented by."""
    return content_type in ("int2", "int4", "int8")


def whole_row(hashes: Sequence[str]) -> str:
    """Return SQL for the hash of a row from its columns' hashes, in order; NULL differs from every value.

    Each column's hash is hashed once more with its position, the results are joined, and the whole is hashed
    again: without that last step, rows that exchange values would cancel each other out in a sum.
    """
    positioned = [
        f"coalesce(hashint4extended({position}, {one}), hashint4extended(-{position}, 0))"
        for position, one in enumerate(hashes, start=1)
    ]
    return f"hashint4extended(0, {' # '.join(positioned) or '0'})"


def _small_integer(column: str, seed: str, release: int) -> str:
    return f"hashint4extended({column}, {seed})"


def _large_integer(column: str, seed: str, release: int) -> str:
    # hashint8 folds its halves into one. The part that 32 bits cannot hold goes into the seed: nothing for values
    # that fit, which therefore hash like an integer, and something that makes the pair unique for all others.
    return f"hashint8extended({column}, {seed} # ((({column} >> 31) + 1) >> 1))"


def _boolean(column: str, seed: str, release: int) -> str:
    return f"hashint4extended({column}::int4, {seed})"


def _float(column: str, seed: str, release: int) -> str:
    sign_of_zero = f"CASE WHEN {column} = 0 THEN length({column}::text) ELSE 0 END"
    return f"hashint4extended({sign_of_zero}, hashfloat8extended({column}, {seed}))"


def _numeric(column: str, seed: str, release: int) -> str:
    # The outer hash takes the sign in, and keeps the exponent, which is only XORed in, from cancelling out in sums.
    sign = f"CASE WHEN {column} < '0'::numeric THEN -1 WHEN {column} = 'Infinity'::numeric THEN 2 ELSE 1 END"
    return f"hashint4extended({sign}, hash_numeric_extended({column}, {seed}))"


def _money(column: str, seed: str, release: int) -> str:
    return _numeric(f"{column}::numeric", seed, release)


def _string(column: str, seed: str, release: int) -> str:
    return f'hashtextextended({column} COLLATE "C", {seed})'


def _as_text(column: str, seed: str, release: int) -> str:
    return f'hashtextextended({column}::text COLLATE "C", {seed})'


def _bytes(column: str, seed: str, release: int) -> str:
    if release >= _BYTEA_HASH_SINCE:
        return f"hashbyteaextended({column}, {seed})"
    # A record of one NULL hashes to 0, not to NULL.
    return f"CASE WHEN {column} IS NOT NULL THEN hash_record_extended(ROW({column}), {seed}) END"


def _binary_form(function: str) -> Expression:
    """Hash what the type sends over the wire: all of its bits, in network order on every machine."""
    return lambda column, seed, release: _bytes(f"{function}({column})", seed, release)


def _uuid(column: str, seed: str, release: int) -> str:
    return f"uuid_hash_extended({column}, {seed})"


_EXPRESSIONS: dict[str, Expression] = {
    "int2": _small_integer,
    "int4": _small_integer,
    "int8": _large_integer,
    "bool": _boolean,
    "float4": _float,
    "float8": _float,
    "numeric": _numeric,
    "money": _money,
    "text": _string,
    "varchar": _string,
    "text:nondeterministic": _as_text,
    "bytea": _bytes,
    "uuid": _uuid,
    "timestamp": _binary_form("timestamp_send"),
    "timestamptz": _binary_form("timestamptz_send"),
    "date": _binary_form("date_send"),
    "time": _binary_form("time_send"),
    "timetz": _binary_form("timetz_send"),
    "interval": _binary_form("interval_send"),
}


def _if_kept(condition: str, kept: str, now: Expression, earlier: Expression) -> Expression:
    """Hash the value as its earlier type did where that type can hold it; else it is another value anyway."""

    def hashed(column: str, seed: str, release: int) -> str:
        as_earlier = earlier(kept.format(c=column), seed, release)
        return f"CASE WHEN {condition.format(c=column)} THEN {as_earlier} ELSE {now(column, seed, release)} END"

    return hashed


def _after(conversion: str, earlier: Expression) -> Expression:
    """Hash the value as its earlier type did, which can hold all values of the new one."""
    return lambda column, seed, release: earlier(conversion.format(c=column), seed, release)


_FITS_INT8 = "{c} BETWEEN '-9223372036854775808'::numeric AND '9223372036854775807'::numeric AND {c} = trunc({c})"
_WRITTEN_INTEGER = "{c} ~ '^(0|-?[1-9][0-9]{{0,17}})$'"
_WRITTEN_UUID = "{c} ~ '^[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}$'"
_OTHER_FORMS: dict[str, Expression] = {
    "timestamptz as timestamp": _after(f"({{c}} AT TIME ZONE {_ZONE})", _binary_form("timestamp_send")),
    "timestamp as timestamptz": _after(f"({{c}} AT TIME ZONE {_ZONE})", _binary_form("timestamptz_send")),
    "timestamp as date": _if_kept(
        "{c} = date_trunc('day', {c})", "{c}::date", _binary_form("timestamp_send"), _binary_form("date_send")
    ),
    "numeric as integer": _if_kept(_FITS_INT8, "({c}::int8)", _numeric, _large_integer),
    "integer as numeric": _after("({c}::numeric)", _numeric),
    "text as integer": _if_kept(_WRITTEN_INTEGER, "({c}::int8)", _string, _large_integer),
    "integer as text": _as_text,
    "text as uuid": _if_kept(_WRITTEN_UUID, "({c}::uuid)", _string, _uuid),
    "uuid as text": _as_text,
}
