"""Face sets as InsightFace keeps them: images, and which keys show whom.

Record 0 is a header without an image, whose label is the range of keys of the identity records. Keys from 1
up to that range are images with the identity's number as their label; each identity record has the range of
its images' keys. A set without such a header has images only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.data.records.rec import RecordReader, RecordWriter
from vnvision.data.records.rec_index import has_twice
from vnvision.data.records.recordio import MAX_EXACT, ImageRecord
from vnvision.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class FaceKeys:
    """Which records are images.

    Attributes:
        keys: (N,) int64 of the images.
        identities: (N,) int64 whose images they are, as the labels say.
    """

    keys: np.ndarray
    identities: np.ndarray


def read_keys(reader: RecordReader) -> FaceKeys:
    """Which keys are images, and of whom.

    With identity records only those are read; without, every record's header is.

    Raises:
        DataError: a damaged record, ranges that do not fit, or an image without a whole number as its label.
    """
    header = reader.record(0) if 0 in reader else None
    if header is None or header.flag == 0:
        keys = reader.keys.copy()
        return FaceKeys(keys, np.array([identity_of(reader, int(key)) for key in keys], np.int64))
    start, stop = _range(header, f"{reader.path}: record 0")
    if start < 1 or stop - start > len(reader):
        raise DataError(
            f"{reader.path}: record 0", expected="the range of the identity records", got=f"{start}..{stop}"
        )
    people: list[tuple[int, int, int]] = []
    for key in range(start, stop):
        where = f"{reader.path}: record {key}"
        first, behind = _range(reader.record(key), where)
        if first < 1 or behind > start:
            raise DataError(where, expected=f"a range of images in 1..{start - 1}", got=f"{first}..{behind}")
        if first < behind:
            # One label a person is enough: all its images have it.
            people.append((first, behind - first, identity_of(reader, first)))
    if not people:
        raise DataError(f"{reader.path} names no images", expected="identity records with ranges of keys")
    starts, counts, labels = np.array(people, np.int64).T
    if sum(counts.tolist()) > len(reader):
        raise DataError(f"{reader.path}: the ranges do not fit the index", expected=f"{len(reader)} records")
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    keys, identities = np.repeat(starts, counts) + within, np.repeat(labels, counts)
    return _checked(keys, identities, reader)


def identity_of(reader: RecordReader, key: int) -> int:
    """The number of the identity that an image shows.

    Raises:
        DataError: a damaged record, or a label that is no whole number of 0 or more.
    """
    label = float(reader.record(key).label[0])
    if not (0 <= label < 2**53 and label.is_integer()):
        raise DataError(
            f"{reader.path}: record {key}: its label", expected="a whole number from 0", got=f"{label:g}"
        )
    return int(label)


def _range(record: ImageRecord, where: str) -> tuple[int, int]:
    values = record.label.astype(np.float64)
    whole = np.isfinite(values).all() and (values == np.floor(values)).all() and (values >= 0).all()
    if record.flag != 2 or not whole or values[0] > values[1] or values[1] > 2**53:
        raise DataError(where, expected="a range of keys as its label", got=str(values[:4].tolist()))
    return int(values[0]), int(values[1])


def _checked(keys: np.ndarray, identities: np.ndarray, reader: RecordReader) -> FaceKeys:
    missing = keys[~np.isin(keys, reader.keys, kind="sort")]
    if len(missing) or has_twice(keys):
        got = f"no record {missing[0]}" if len(missing) else "an image of two identities"
        raise DataError(f"{reader.path}: the ranges do not fit the index", got=got)
    return FaceKeys(keys, identities)


def write_face_rec(path: str | Path, people: Iterable[Sequence[bytes]]) -> Path:
    """Write a face set with header and identity records.

    Args:
        path: the ``.rec``; the ``.idx`` goes beside it.
        people: the encoded images of each identity; its number is its place.

    Raises:
        DataError: no image, it exists, or more records than float32 labels can number.
    """
    ranges: list[tuple[int, int]] = []
    with RecordWriter(path) as writer:
        # The index decides where a key lies: the header comes last, and is still record 0.
        key = 1
        for identity, images in enumerate(people):
            first = key
            for image in images:
                label = np.array([identity], np.float32)
                writer.write_image(key, ImageRecord(label, key, image))
                key += 1
            ranges.append((first, key))
            if key + len(ranges) + 1 > MAX_EXACT:
                raise DataError(
                    "too many records for one .rec",
                    expected=f"at most {MAX_EXACT:,}, the largest key that its float32 labels keep exactly",
                    fix="write several, or tar shards with: vnvision data pack",
                )
        if key == 1:
            raise DataError(f"{path}: nothing to write", expected="one image or more", got="none")
        start = key
        for bounds in ranges:
            writer.write_image(key, ImageRecord(np.array(bounds, np.float32), key, b"", flag=2))
            key += 1
        writer.write_image(0, ImageRecord(np.array([start, key], np.float32), 0, b"", flag=2))
    return Path(path)
