"""One pass over a folder's photos: faces, and prints to tell copies by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vnvision.data.fingerprint import Fingerprint, fingerprint
from vnvision.errors import DataError
from vnvision.faces.engine import FaceEngine
from vnvision.faces.pictures import decoded
from vnvision.records import Face
from vnvision.runtime.readahead import read_ahead

Progress = Callable[[int, int], None]
_WORKERS, _AHEAD = 2, 4


@dataclass
class Seen:
    """What one pass over photos found; photos are named by their place in the list.

    Attributes:
        prints: of each photo; None where it could not be read.
        faces: photo, number of the face in it from 1, face.
        without: photos without a face.
        unreadable: photo and why.
    """

    prints: list[Fingerprint | None] = field(default_factory=list)
    faces: list[tuple[int, int, Face]] = field(default_factory=list)
    without: list[int] = field(default_factory=list)
    unreadable: list[tuple[int, str]] = field(default_factory=list)


def look_at(engine: FaceEngine, files: Sequence[Path], progress: Progress | None = None) -> Seen:
    """Every photo is decoded once, for its faces and for its print; one that cannot be read is noted.

    Args:
        engine: finds and embeds faces.
        files: the photos.
        progress: called with (photos done, total).
    """
    seen, waiting = Seen(), deque[tuple[int, str | None]]()

    def readable() -> Iterator[np.ndarray]:
        for i, item in enumerate(read_ahead(_opened, files, workers=_WORKERS, ahead=_AHEAD)):
            if isinstance(item, DataError):
                seen.prints.append(None)
                waiting.append((i, str(item)))
            else:
                seen.prints.append(item[1])
                waiting.append((i, None))
                yield item[0]

    for found in engine.found(readable(), quality=True):
        while waiting[0][1] is not None:
            seen.unreadable.append(_left(waiting))
        photo, _ = waiting.popleft()
        if isinstance(found, DataError):
            seen.unreadable.append((photo, str(found)))
        else:
            seen.faces += [(photo, number, face) for number, face in enumerate(found, 1)]
            seen.without += [photo] * (not found)
        if progress:
            progress(photo + 1, len(files))
    while waiting:
        seen.unreadable.append(_left(waiting))
    if progress:
        progress(len(files), len(files))
    return seen


def _left(waiting: deque[tuple[int, str | None]]) -> tuple[int, str]:
    photo, problem = waiting.popleft()
    return photo, problem or ""


def _opened(file: Path) -> tuple[np.ndarray, Fingerprint] | DataError:
    try:
        image = decoded(file)
    except DataError as exc:
        return exc
    return image, fingerprint(image)
