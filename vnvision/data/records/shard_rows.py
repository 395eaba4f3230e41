"""Where every sample of a set of shards lies, and its columns, as arrays: some twenty bytes a sample.

They are found by walking through all shards once, and kept beside them as ``NAME.rows.npz``, so that opening
ten million samples takes seconds. The file says which index it belongs to, and can be deleted.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.data.records.coded import Coded
from vnvision.data.records.shard_index import SUFFIX, ShardIndex
from vnvision.data.records.shard_set import ShardSet
from vnvision.errors import DataError

KEPT = ("identity", "split", "group_id", "group", "label", "region", "source", "licence")
"""Columns of few values that are kept without being asked for; paths and hashes differ in every row."""

_VERSION = 1
_DIGEST, _OFFSETS, _SIZES, _CODES, _NAMES = "index", "offsets", "sizes", "codes:", "names:"


@dataclass(frozen=True, slots=True, eq=False)
class ShardRows:
    """The samples of a set, in order.

    Attributes:
        index: what the set holds.
        path: of the index.
        sha256: hex digest of the index's file, which has that of every shard.
        offsets: (N,) int64, where each picture starts in its shard.
        sizes: (N,) int32 or int64, its bytes.
        columns: by name.
    """

    index: ShardIndex
    path: Path
    sha256: str
    offsets: np.ndarray
    sizes: np.ndarray
    columns: Mapping[str, Coded]


def read_rows(path: str | Path, wanted: Sequence[str] = ()) -> ShardRows:
    """The rows of a set: from ``NAME.rows.npz``, or by reading all shards once, and then it is written.

    Args:
        path: the index, or its folder.
        wanted: columns to have besides ``KEPT``; those that the set does not have are left out.

    Raises:
        DataError: no index, a shard that is missing or of another length, or a damaged one.
    """
    shards = ShardSet(path)
    job = shards.index.job
    names = [name for name in dict.fromkeys((*KEPT, *wanted)) if name in job.columns]
    digest = atomic.sha256_file(shards.path)
    _check_files(shards)
    kept = _kept(shards, digest)
    if kept is not None and set(names) <= set(kept.columns):
        return kept
    names = list(dict.fromkeys((*(kept.columns if kept else ()), *names)))  # as many as were asked for so far
    rows = _walked(shards, digest, names)
    with contextlib.suppress(OSError):  # a folder that may only be read: walked through again next time
        write_rows(rows)
    return rows


def write_rows(rows: ShardRows) -> Path:
    """Keep the rows beside their index, as ``NAME.rows.npz``.

    Raises:
        OSError: it cannot be written.
    """
    return atomic.write_bytes(_file(rows.path), _packed(rows))


def _file(index: Path) -> Path:
    return index.with_name(index.name.removesuffix(SUFFIX) + ".rows.npz")


def _check_files(shards: ShardSet) -> None:
    """Every shard is there, as long as the index says."""
    for shard in shards.index.shards:
        file = shards.path.parent / shard.file
        try:
            size = file.stat().st_size
        except OSError as exc:
            raise DataError(f"cannot read {file}", got=exc.strerror or str(exc)) from exc
        if size != shard.bytes:
            fix = "copy it again, or pack again"
            raise DataError(
                f"{file}", expected=f"{shard.bytes} bytes as in the index", got=str(size), fix=fix
            )


def _walked(shards: ShardSet, digest: str, names: Sequence[str]) -> ShardRows:
    n, done = shards.index.job.n, 0
    offsets, sizes = np.empty(n, np.int64), np.empty(n, np.int64)
    known: dict[str, dict[str, int]] = {name: {} for name in names}
    codes = {name: np.full(n, -1, np.int32) for name in names}
    for number, shard in enumerate(shards.index.shards):
        here = slice(done, done + shard.n)
        offsets[here], sizes[here] = shards.spans(number)[:, :2].T
        for place in range(shard.n):
            row = shards.columns(number, place)
            for name in names:
                if text := str(row.get(name, "")).strip():
                    codes[name][done + place] = known[name].setdefault(text, len(known[name]))
        done += shard.n
        shards.close(number)
    columns = {name: Coded(_small(codes[name]), tuple(known[name])) for name in names}
    return ShardRows(shards.index, shards.path, digest, offsets, _small(sizes), columns)


def _small(numbers: np.ndarray) -> np.ndarray:
    """In the smallest type of whole numbers that holds them."""
    kind = np.result_type(np.min_scalar_type(-int(numbers.max(initial=0)) - 1), np.int8)
    return numbers.astype(kind)


def _packed(rows: ShardRows) -> bytes:
    """The file: a digest of everything else comes first, so that a damaged one is not believed."""
    arrays: dict[str, Any] = {_OFFSETS: rows.offsets, _SIZES: rows.sizes}
    for name, column in rows.columns.items():
        arrays[_CODES + name] = column.codes
        text = json.dumps(column.names, ensure_ascii=False).encode()
        arrays[_NAMES + name] = np.frombuffer(text, np.uint8)
    stamp = np.frombuffer(_stamp(rows.sha256, arrays).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **{_DIGEST: stamp, **arrays})
    return buffer.getvalue()


def _stamp(index_sha256: str, arrays: Mapping[str, np.ndarray]) -> str:
    found = hashlib.sha256(f"{_VERSION} {index_sha256}".encode())
    for name, array in arrays.items():
        found.update(f" {name} {array.dtype.str} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _kept(shards: ShardSet, digest: str) -> ShardRows | None:
    """What the file says; None where there is none, or it is of another index, or damaged."""
    try:
        with np.load(_file(shards.path), allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        stamp = arrays.pop(_DIGEST).tobytes().decode()
        if stamp != _stamp(digest, arrays):
            return None
        columns = {}
        for name in [key.removeprefix(_CODES) for key in arrays if key.startswith(_CODES)]:
            names = json.loads(arrays[_NAMES + name].tobytes())
            columns[name] = Coded(arrays[_CODES + name], tuple(names))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return ShardRows(shards.index, shards.path, digest, arrays[_OFFSETS], arrays[_SIZES], columns)
