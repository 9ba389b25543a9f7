"""One text for a value, whichever engine it comes from; what cannot be read as its kind stays as it is.

=================== ==========================================================================
integers, decimals  digits without trailing zeros: ``1.50`` is ``1.5``; booleans are 1 and 0
floats              the shortest digits that read back the same (single precision where a side has it)
bytes               hex
UUIDs               hex, without hyphens
JSON                sorted keys, no spaces, ``1.0`` is ``1``
dates and times     ISO 8601, in UTC, without trailing zeros of the fraction
all others          the text as it is
=================== ==========================================================================
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import partial

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
_TRUTH = {"true": "1", "false": "0", "t": "1", "f": "0"}


def common_family(one: ValueFamily, other: ValueFamily) -> ValueFamily:
    """Return how the values of two columns are read, so that equal ones read equal."""
    return next((family for family in _STRONGEST if family in (one, other)), "text")


def canonical(own: ValueFamily, shared: ValueFamily) -> Canon:
    """Return the function that writes values of a column of one family as values of the family both sides share."""
    if shared in ("bytes", "uuid"):
        return partial(_hex, is_bytes=own == "bytes", shared=shared)
    return _CANONS.get(shared, str)


def _number(text: str) -> str:
    text = _TRUTH.get(text, text)
    if text.isdecimal() and text.isascii() and (len(text) == 1 or text[0] != "0"):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    if not number.is_finite():
        return str(number)
    digits = format(number, "f")
    return _signless_zero(digits.rstrip("0").rstrip(".") if "." in digits else digits)


def _signless_zero(digits: str) -> str:
    return "0" if digits in ("-0", "+0", "") else digits


def _float(text: str) -> str:
    try:
        return repr(float(text))
    except ValueError:
        return text


def _single(text: str) -> str:
    try:
        return repr(struct.unpack("f", struct.pack("f", float(text)))[0])
    except (ValueError, OverflowError):
        return text


def _hex(text: str, *, is_bytes: bool, shared: ValueFamily) -> str:
    if text.startswith("x'") and text.endswith("'"):
        return text[2:-1]
    if is_bytes and text.startswith(("\\x", "0x")):
        return text[2:].lower()
    return text.replace("-", "").lower() if shared == "uuid" else text.encode("utf-8", "surrogateescape").hex()


def _json(text: str) -> str:
    try:
        return json.dumps(
            json.loads(text, parse_float=_json_float), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
    except ValueError:
        return text


def _json_float(text: str) -> float | int:
    number = float(text)
    return int(number) if number.is_integer() else number


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
    "float4": _single,
    "float": _float,
    "decimal": _number,
    "integer": _number,
    "boolean": _number,
    "instant": _timestamp,
    "timestamp": _timestamp,
    "date": _date,
    "time": _without_zeros,
}
