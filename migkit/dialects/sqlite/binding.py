"""Bind the hash of each value to its row: two rows that exchange a value must not cancel out.

A value's digest is ``mix(hash ^ seed)``, where the seed is the hash of the row's key. The first key column has the seed
0, each further one the chain so far. Rows whose key holds a NULL (SQLite allows that) cannot be told apart by it: their
seed is the hash of the whole row. Without a key the seed is 0, and the whole row's hash is kept besides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from migkit.dialects.sqlite.batches import Batch
from migkit.dialects.sqlite.hashing import NONE_TYPE, Hashes, Mask, hash_values, mix, present_mask


@dataclass(frozen=True)
class BoundBatch:
    """The digests of a batch.

    Parameters
    ----------
    seed : numpy.ndarray
        One for each row: the hash of its key, or of all of it where it has none.
    words : dict of str to numpy.ndarray
        The digests per column; 0 where the value is NULL.
    present : dict of str to numpy.ndarray or None
        Which values are not NULL; ``None`` where all are.
    """

    seed: Hashes
    words: dict[str, Hashes]
    present: dict[str, Mask | None]

    def only(self, rows: npt.NDArray[np.intp]) -> BoundBatch:
        """Return the digests of some rows."""
        return BoundBatch(
            self.seed[rows],
            {name: words[rows] for name, words in self.words.items()},
            {name: None if mask is None else mask[rows] for name, mask in self.present.items()},
        )


def bind(batch: Batch, key: tuple[str, ...], names: list[str]) -> BoundBatch:
    """Digest the columns `names` of a batch whose rows are told apart by `key`."""
    hashes = {name: hash_values(values, batch.types[name]) for name, values in batch.columns.items()}
    present = {
        name: present_mask(values) if NONE_TYPE in batch.types[name] else None for name, values in batch.columns.items()
    }
    whole_row = _chain(hashes, names, batch.rows) if not key else None
    words, seed = _bind_key(key, hashes, present, batch.rows)
    for name in names:
        if name not in words:
            words[name] = mix(hashes[name] ^ seed)
    for name in names:
        mask = present[name]
        if mask is not None:
            words[name] = np.where(mask, words[name], np.uint64(0))
    return BoundBatch(seed if whole_row is None else whole_row, words, present)


def _bind_key(
    key: tuple[str, ...], hashes: dict[str, Hashes], present: dict[str, Mask | None], rows: int
) -> tuple[dict[str, Hashes], Hashes]:
    """Return the digests of the key columns, and the seed of each row."""
    seed: Hashes = np.zeros(rows, dtype=np.uint64)
    words: dict[str, Hashes] = {}
    for name in key:
        seed = mix(hashes[name] ^ seed)
        words[name] = seed
    masks = [mask for name in key if (mask := present[name]) is not None]
    if not masks:
        return words, seed
    known: Mask = np.logical_and.reduce(masks)
    whole_row = _chain(hashes, list(hashes), rows)
    for name in key:
        words[name] = np.where(known, words[name], mix(hashes[name] ^ whole_row))
    return words, np.where(known, seed, whole_row)


def _chain(hashes: dict[str, Hashes], names: list[str], rows: int) -> Hashes:
    """Return the hashes of whole rows."""
    chain: Hashes = np.zeros(rows, dtype=np.uint64)
    for name in names:
        chain = mix(hashes[name] ^ chain)
    return chain
