"""One pass over the photographs: each is read once, and what is learnt from is kept instead of it."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from vnvision.data.fingerprint import Fingerprint, fingerprint
from vnvision.errors import DataError
from vnvision.evaluate.shortcut_views import Views
from vnvision.evaluate.shortcut_views import look as poor_views
from vnvision.imaging.depth import to_uint8
from vnvision.records import Sample
from vnvision.runtime.picture_quality import measure_all
from vnvision.runtime.readahead import read_ahead
from vnvision.teach.photos import Photo
from vnvision.teach.trunk import Trunk
from vnvision.teach.views import VIEWS, views

Reader = Callable[[str | Path | bytes], Sample]
READERS = min(2, os.cpu_count() or 1)
_BATCH = 8


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is kept of N photographs that could be read, in their order.

    Attributes:
        photos: which.
        features: (N, V, F) float32 of the V views of each.
        measures: (N, V, 11) of how the views look.
        digests: SHA-256 of each file.
        prints: for near-duplicates.
        poor: what is left where the subject is taken away, for the shortcut probe.
        unreadable: (photo, why, the same in Vietnamese) of the others.
    """

    photos: tuple[Photo, ...]
    features: np.ndarray
    measures: np.ndarray
    digests: tuple[str, ...]
    prints: tuple[Fingerprint, ...]
    poor: tuple[Views, ...]
    unreadable: tuple[tuple[Photo, str, str | None], ...]


@dataclass(frozen=True, slots=True, eq=False)
class _One:
    crop: np.ndarray
    digest: str
    look: Fingerprint
    poor: Views


_Looked = tuple[Photo, _One | DataError]


def look_at(photos: Sequence[Photo], trunk: Trunk, reader: Reader, step: Callable[[int, int], None]) -> Seen:
    """Read and describe all photographs; what cannot be read is noted and passed over.

    Args:
        photos: which.
        trunk: the network.
        reader: how a file becomes a sample; called from a few threads.
        step: called with (photographs done, in all).
    """

    def one(photo: Photo) -> _Looked:
        try:
            return photo, _look(photo.path, trunk, reader)
        except DataError as exc:
            return photo, exc

    good: list[tuple[Photo, _One]] = []
    features, measures, bad, done = list[np.ndarray](), list[np.ndarray](), [], 0
    with closing(read_ahead(one, photos, workers=READERS, ahead=2 * _BATCH)) as looked:
        for chunk in _chunks(looked, _BATCH):
            fine = [(photo, found) for photo, found in chunk if isinstance(found, _One)]
            bad += [
                (photo, str(found), found.vietnamese)
                for photo, found in chunk
                if isinstance(found, DataError)
            ]
            crops = [view for _, found in fine for view in views(found.crop, _seed(found.digest))]
            if crops:
                features.append(trunk.features(crops).reshape(len(fine), VIEWS, -1))
                measures.append(measure_all(crops, trunk.spec).reshape(len(fine), VIEWS, -1))
            empty = np.empty(0, np.uint8)  # crops have served; of 5,000 they would fill the memory
            good += [(photo, _One(empty, found.digest, found.look, found.poor)) for photo, found in fine]
            done += len(chunk)
            step(done, len(photos))
    return Seen(
        photos=tuple(photo for photo, _ in good),
        features=np.concatenate(features) if features else np.empty((0, VIEWS, 0), np.float32),
        measures=np.concatenate(measures) if measures else np.empty((0, VIEWS, 0)),
        digests=tuple(found.digest for _, found in good),
        prints=tuple(found.look for _, found in good),
        poor=tuple(found.poor for _, found in good),
        unreadable=tuple(bad),
    )


def _look(path: Path, trunk: Trunk, reader: Reader) -> _One:
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as exc:
        raise DataError(
            f"cannot read {path.name}", got=exc.strerror or str(exc), vietnamese=f"không đọc được {path.name}"
        ) from exc
    image = reader(path).image
    crop = trunk.preprocessor.geometry(image)
    return _One(crop, digest, fingerprint(image), poor_views(to_uint8(image), None))


def _seed(digest: str) -> int:
    """Of a photograph's views: the same wherever it lies and whatever is beside it."""
    return zlib.crc32(digest.encode())


def _chunks(
    items: Iterable[tuple[Photo, _One | DataError]], size: int
) -> Iterator[list[tuple[Photo, _One | DataError]]]:
    stream = iter(items)
    while chunk := list(islice(stream, size)):
        yield chunk
