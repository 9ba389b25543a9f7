"""One text for a value, whichever engine it comes from; what cannot be read as its kind stays as it is.

=================== ==========================================================================
integers, decimals  digits without trailing zeros: ``1.50`` is ``1.5``; booleans are 1 and 0
floats              the shortest digits that read back the same (single precision where a side has it); a decimal
                    equals a float if it has exactly those digits, a double equals a single if it has them too, or is
                    what the single is as a double
bytes               hex
UUIDs               hex, without hyphens
JSON                sorted keys, no spaces, ``1.0`` is ``1``; numbers keep every digit, so that one which an engine
                    cut to a double differs from what it was
dates and times     ISO 8601, in UTC, without trailing zeros of the fraction
all others          the text as it is
=================== ==========================================================================
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from migkit.dialects.base import ValueFamily

Canon = Callable[[str], str]

# The first of these that either side has decides how both are read.
_STRONGEST: tuple[ValueFamily, ...] = (
    "json",
    "uuid",
    "bytes",
    "float4",
    "float",
    "decimal",
    "integer",
    "boolean",
    "instant",
    "timestamp",
    "date",
    "time",
)
# Numbers with more places before or after the point are written with an exponent.
_MOST_ZEROS = 400
_TRUTH = {"true": "1", "false": "0", "t": "1", "f": "0"}


def common_family(one: ValueFamily, other: ValueFamily) -> ValueFamily:
    """Return how the values of two columns are read, so that equal ones read equal."""
    return next((family for family in _STRONGEST if family in (one, other)), "text")


def canonical(own: ValueFamily, shared: ValueFamily) -> Canon:
    """Return the function that writes values of a column of one family as values of the family both sides share."""
    if shared in ("bytes", "uuid"):
        return partial(_hex, is_bytes=own == "bytes", shared=shared)
    if shared == "float":
        return _float if own == "float" else partial(_exact, shortest=repr)
    if shared == "float4":
        return {"float4": _single, "float": _double_as_single}.get(own, partial(_exact, shortest=_single_digits))
    return _CANONS.get(shared, str)


def _number(text: str) -> str:
    text = _TRUTH.get(text, text)
    if text.isdecimal() and text.isascii() and (len(text) == 1 or text[0] != "0") and len(text) <= _MOST_ZEROS:
        return text
    try:
        return _digits(Decimal(text))
    except InvalidOperation:
        return text


def _digits(number: Decimal) -> str:
    """Write a number with all of its digits; a few characters may stand for more zeros than there is memory for."""
    if not number.is_finite():
        return str(number)
    if not number:
        return "0"
    if abs(number.adjusted()) < _MOST_ZEROS:
        plain = format(number, "f")
        return plain.rstrip("0").rstrip(".") if "." in plain else plain
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    kept = "".join(map(str, digits)).rstrip("0")
    return f"{'-' * sign}{kept}e{exponent + len(digits) - len(kept)}"


def _float(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _single(text: str) -> str:
    try:
        return _single_digits(float(text))
    except ValueError:
        return text


def _double_as_single(text: str) -> str:
    """Read a double beside singles: one that is exactly a single is written like it, all others keep their digits."""
    try:
        number = float(text)
    except ValueError:
        return text
    return _single_digits(number) if _nearest_single(number) == number else repr(number)


def _nearest_single(number: float) -> float:
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


def _single_digits(number: float) -> str:
    """Return the shortest digits that read back as the same single."""
    single = _nearest_single(number)
    if not math.isfinite(single):
        return repr(single)
    shortest = (float(f"{single:.{digits}g}") for digits in range(6, 10))
    return repr(next(short for short in shortest if _nearest_single(short) == single))


def _exact(text: str, shortest: Callable[[float], str]) -> str:
    """Read what is no float beside floats: like the one that has these digits, or with every digit where none has."""
    text = _TRUTH.get(text, text)
    try:
        exact, digits = Decimal(text), shortest(float(text))
    except (InvalidOperation, ValueError):
        return text
    if exact.is_nan() or exact == Decimal(digits):
        return digits
    return _number(text)


def _hex(text: str, *, is_bytes: bool, shared: ValueFamily) -> str:
    if text.startswith("x'") and text.endswith("'"):
        return text[2:-1]
    if is_bytes and text.startswith(("\\x", "0x")):
        return text[2:].lower()
    return text.replace("-", "").lower() if shared == "uuid" else text.encode("utf-8", "surrogateescape").hex()


def _json(text: str) -> str:
    try:
        return _written(json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal))
    except (ValueError, InvalidOperation, RecursionError):
        return text


def _written(value: Any) -> str:
    """Write a JSON value; the library's own writer has no numbers but floats."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{_written(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, Decimal):
        return _digits(value)
    return _quoted(value)


_quoted = partial(json.dumps, ensure_ascii=False)


def _timestamp(text: str) -> str:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return text
    if instant.tzinfo is not None:
        instant = instant.astimezone(UTC).replace(tzinfo=None)
    return _without_zeros(instant.isoformat())


def _date(text: str) -> str:
    return text.removesuffix("T00:00:00").removesuffix(" 00:00:00")


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


_CANONS: dict[ValueFamily, Canon] = {
    "json": _json,
    "decimal": _number,
    "integer": _number,
    "boolean": _number,
    "instant": _timestamp,
    "timestamp": _timestamp,
    "date": _date,
    "time": _without_zeros,
}
