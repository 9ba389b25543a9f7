"""64-bit hashes of a column of Python values, vectorised; the same on every machine and in every version.

Each storage class has a hash of its own, so that 1, 1.0, '1' and x'31' all differ:

========= =====================================================================
INTEGER   splitmix64 of the value's 64 bits, xor a constant
REAL      splitmix64 of the IEEE bits, xor another constant (so -0.0 is not 0.0)
TEXT      SipHash-2-4 of the UTF-8 bytes as stored, valid or not
BLOB      SipHash-2-4 of the bytes under another key
NULL      a constant
========= =====================================================================

The SipHash is that of :func:`pandas.util.hash_array`, which mixes its result once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, repeat
from operator import is_, is_not
from typing import Any

import numpy as np
import numpy.typing as npt
from pandas.util import hash_array

Hashes = npt.NDArray[np.uint64]
Mask = npt.NDArray[np.bool_]
Values = Sequence[Any]

_INTEGER_TAG = np.uint64(0xD6E8FEB86659FD93)
_REAL_TAG = np.uint64(0xA0761D6478BD642F)
_NULL_HASH = np.uint64(0xE7037ED1A0B428DB)
_TEXT_KEY = "migkit-text-0001"
_BLOB_KEY = "migkit-blob-0001"

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))

NONE_TYPE = type(None)


def mix(words: Hashes) -> Hashes:
    """Return splitmix64 of each word: a bijection without visible structure."""
    mixed = words + _GAMMA
    mixed ^= mixed >> _SHIFTS[0]
    mixed *= _FIRST
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _SECOND
    mixed ^= mixed >> _SHIFTS[2]
    return mixed


def hash_values(values: Values, types: set[type]) -> Hashes:
    """Hash the values of one column.

    Parameters
    ----------
    values : sequence
        ``int``, ``float``, ``str``, ``bytes`` or ``None``, as the driver returns them.
    types : set of type
        The types that occur among them.

    Returns
    -------
    numpy.ndarray
        One ``uint64`` for each value.
    """
    if len(types) == 1:
        return _HASHERS[next(iter(types))](values)
    hashes: Hashes = np.empty(len(values), dtype=np.uint64)
    kinds = list(map(type, values))
    for kind in types:
        mask = list(map(is_, kinds, repeat(kind)))
        hashes[mask] = _HASHERS[kind](list(compress(values, mask)))
    return hashes


def present_mask(values: Values) -> Mask:
    """Tell of each value whether it is not NULL."""
    return np.fromiter(map(is_not, values, repeat(None)), dtype=np.bool_, count=len(values))


def _hash_integers(values: Values) -> Hashes:
    return mix(np.array(values, dtype=np.int64).view(np.uint64) ^ _INTEGER_TAG)


def _hash_reals(values: Values) -> Hashes:
    return mix(np.array(values, dtype=np.float64).view(np.uint64) ^ _REAL_TAG)


def _hash_text(values: Values) -> Hashes:
    cells = np.fromiter(values, dtype=object, count=len(values))
    try:
        return _siphash(cells, _TEXT_KEY)
    except UnicodeEncodeError:
        # Bytes that are no UTF-8 were read as lone surrogates; their hash is that of the stored bytes.
        stored = [value.encode("utf-8", "surrogateescape") for value in values]
        return _siphash(np.fromiter(stored, dtype=object, count=len(stored)), _TEXT_KEY)


def _hash_blobs(values: Values) -> Hashes:
    return _siphash(np.fromiter(values, dtype=object, count=len(values)), _BLOB_KEY)


def _siphash(cells: npt.NDArray[np.object_], key: str) -> Hashes:
    return hash_array(cells, hash_key=key, categorize=False)


def _hash_nulls(values: Values) -> Hashes:
    return np.full(len(values), _NULL_HASH, dtype=np.uint64)


_HASHERS: dict[type, Callable[[Values], Hashes]] = {
    int: _hash_integers,
    float: _hash_reals,
    str: _hash_text,
    bytes: _hash_blobs,
    NONE_TYPE: _hash_nulls,
}
