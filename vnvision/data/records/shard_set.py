"""Any sample of a set of tar shards, by its shard and its place in it."""

from __future__ import annotations

import json
import tarfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.data.records.files import RandomFile
from vnvision.data.records.shard_index import EXTENSIONS, only_index, read_shard_index
from vnvision.errors import DataError

_OPEN = 32
_PICTURES = frozenset((*EXTENSIONS.values(), "jpeg", "tiff"))


@dataclass(frozen=True, slots=True)
class ShardSample:
    """One sample.

    Attributes:
        key: its name in the tar file.
        data: the encoded picture.
        columns: the manifest's row.
    """

    key: str
    data: bytes
    columns: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the samples of a tar file lie.

    Attributes:
        keys: (N,) text.
        spans: (N, 4) int64: offset and length of the picture, and of the JSON; length -1 without one.
    """

    keys: np.ndarray
    spans: np.ndarray


class ShardSet:
    """Samples by (shard, place). Files are opened when first read, in each process; it can be pickled.

    Args:
        path: the index, or its folder.

    Attributes:
        index: what the set holds.

    Raises:
        DataError: no index, or a damaged one.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self.path = only_index(path) if path.is_dir() else path
        self.index = read_shard_index(self.path)
        self._open: OrderedDict[int, RandomFile] = OrderedDict()
        self._known: dict[int, _Places] = {}

    def sample(self, shard: int, place: int) -> ShardSample:
        """A sample.

        Raises:
            DataError: the shard is missing, damaged, or holds another number of samples than the index says.
        """
        places, file = self._places(shard), self._file(shard)
        offset, length = places.spans[place, :2].tolist()
        return ShardSample(str(places.keys[place]), file.read(offset, length), self.columns(shard, place))

    def columns(self, shard: int, place: int) -> dict[str, Any]:
        """A sample's row without its picture; raises as ``sample``."""
        places, file = self._places(shard), self._file(shard)
        offset, length = places.spans[place, 2:].tolist()
        if length < 0:
            return {}
        where = f"{file.path}: {places.keys[place]}.json"
        try:
            value = json.loads(file.read(offset, length))
        except (ValueError, RecursionError) as exc:
            raise DataError(f"{where} is damaged", got=str(exc)[:80]) from exc
        if not isinstance(value, dict):
            raise DataError(where, expected="an object", got=type(value).__name__)
        return value

    def spans(self, shard: int) -> np.ndarray:
        """(N, 4) int64 of a shard's samples: offset and length of the picture, and of the JSON; length -1
        without one. Raises as ``sample``.
        """
        return self._places(shard).spans

    def close(self, shard: int) -> None:
        """Forget a shard and close its file; a later read opens it again."""
        self._known.pop(shard, None)
        if (file := self._open.pop(shard, None)) is not None:
            file.close()

    def _places(self, number: int) -> _Places:
        if number not in self._known:
            shard = self.index.shards[number]
            file = self.path.parent / shard.file
            places = _places(file)
            if len(places.keys) != shard.n:
                got = str(len(places.keys))
                raise DataError(f"{file}: samples", expected=f"{shard.n} as in the index", got=got)
            self._known[number] = places
        return self._known[number]

    def _file(self, number: int) -> RandomFile:
        if number not in self._open:
            self._open[number] = RandomFile(self.path.parent / self.index.shards[number].file)
            if len(self._open) > _OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(number)
        return self._open[number]


def _places(path: Path) -> _Places:
    """The samples of a tar file; members of one sample share all of their name up to the first dot.

    Raises:
        DataError: missing, damaged, or a sample has no picture.
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    try:
        size = path.stat().st_size
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                if not member.isfile():
                    continue
                folder, _, name = member.name.rpartition("/")
                key, _, kind = name.partition(".")
                if member.offset_data + member.size > size:
                    raise DataError(f"{path} is cut short", got=f"{member.name} ends behind it")
                full = f"{folder}/{key}" if folder else key
                found.setdefault(full, {})[kind.lower()] = (member.offset_data, member.size)
    except OSError as exc:
        raise DataError(f"cannot read {path}", got=exc.strerror or str(exc)) from exc
    except (tarfile.TarError, ValueError, EOFError, OverflowError, RecursionError) as exc:
        raise DataError(f"{path} is no readable tar file", got=str(exc)[:80]) from exc
    spans = np.empty((len(found), 4), np.int64)
    for row, (key, parts) in enumerate(found.items()):
        pictures = [parts[kind] for kind in parts if kind in _PICTURES]
        if len(pictures) != 1:
            raise DataError(f"{path}: sample {key}", expected="one picture", got=f"{len(pictures)} of them")
        spans[row] = (*pictures[0], *parts.get("json", (0, -1)))
    return _Places(np.array(list(found)), spans)
