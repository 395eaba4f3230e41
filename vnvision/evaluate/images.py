"""Images of a manifest, read ahead in threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from vnvision.data.manifest import Manifest, Row
from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.records import Sample

_THREADS = 4


def image_batches(manifest: Manifest, rows: Sequence[Row], batch_size: int) -> Iterator[list[np.ndarray]]:
    """Lists of images (H, W, C) in row order, see ``sample_batches``."""
    for batch in sample_batches(manifest, rows, batch_size):
        yield [sample.image for sample in batch]


def sample_batches(manifest: Manifest, rows: Sequence[Row], batch_size: int) -> Iterator[list[Sample]]:
    """Lists of samples in row order, ``batch_size`` at a time, the next batch read meanwhile.

    Raises:
        DataError: an image cannot be read; names the manifest's row.
    """
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="vnvision-read") as pool:
        ahead: deque[Future[Sample]] = deque()
        waiting = iter(rows)
        batch: list[Sample] = []
        try:
            for _ in range(len(rows)):
                while len(ahead) < 2 * batch_size and (row := next(waiting, None)) is not None:
                    ahead.append(pool.submit(_sample, manifest, row))
                batch.append(ahead.popleft().result())
                if len(batch) == batch_size:
                    yield batch
                    batch = []
            if batch:
                yield batch
        finally:
            for future in ahead:
                future.cancel()


def _sample(manifest: Manifest, row: Row) -> Sample:
    """One sample, or an error that names its row."""
    try:
        return read(manifest.file(row))
    except DataError as exc:
        raise DataError(f"row {row.line} of {manifest.path.name}: {exc}") from exc
    except OSError as exc:
        raise DataError(
            f"row {row.line} of {manifest.path.name}: cannot read {row.path}", got=str(exc)
        ) from exc
