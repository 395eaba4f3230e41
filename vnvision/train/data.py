"""Pictures to batches: keyed augmentation, a sampler that can start anywhere, workers that stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from vnvision.data.augment import Augmenter
from vnvision.data.identities import IdentityBatches
from vnvision.data.manifest import Manifest
from vnvision.data.records.images import ImageFiles, Images
from vnvision.data.records.images import as_rgb8 as as_rgb8
from vnvision.data.sampling import sample_weights
from vnvision.errors import DataError
from vnvision.imaging import Preprocessor
from vnvision.train.truth import Truth

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Part:
    """One split as arrays: pictures and encoded truth, row by row; ``truth`` where it is masks or boxes."""

    manifest: Manifest
    files: Sequence[Path] | Images
    raw: np.ndarray
    targets: torch.Tensor
    known: torch.Tensor
    truth: Truth | None = None

    def __len__(self) -> int:
        return len(self.files)


class Pictures(Dataset):
    """Item (epoch, index) -> (index, uint8 picture (h, w, C)), and the truth where it is given.

    Args:
        files: one a row, or pictures by number.
        preprocessor: gives geometry and colour order.
        augmenter: None for evaluation.
        seed: with epoch and index it keys the augmentation, so neither order nor worker matters.
        truth: masks or boxes, changed with the picture.
    """

    def __init__(
        self,
        files: Sequence[Path] | Images,
        preprocessor: Preprocessor,
        augmenter: Augmenter | None,
        seed: int,
        truth: Truth | None = None,
    ) -> None:
        self.images = files if isinstance(files, Images) else ImageFiles(files)
        self.preprocessor = preprocessor
        self.augmenter = augmenter
        self.seed = seed
        self.truth = truth

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Key) -> tuple[int, np.ndarray] | tuple[int, np.ndarray, np.ndarray]:
        epoch, index = key
        image = self.images.image(index)
        if self.truth is not None:
            return index, *self._with_truth(self.truth, image, epoch, index)
        if self.augmenter is None:
            return index, self.preprocessor.geometry(image)
        if self.augmenter.geometry == "letterbox":
            image = self.preprocessor.geometry(image)
        return index, self.augmenter(as_rgb8(image), (self.seed, epoch, index))

    def _with_truth(
        self, truth: Truth, image: np.ndarray, epoch: int, index: int
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.augmenter is None:
            return self.preprocessor.geometry(image), truth.placed(index, (image.shape[0], image.shape[1]))
        key = (self.seed, epoch, index)
        return truth.augmented(index, as_rgb8(image), self.augmenter, self.preprocessor, key)


class Steps(Sampler[list[Key]]):
    """Micro-batches of (epoch, index) for the steps ``start`` to ``stop``, one rank's share of each.

    The order of an epoch follows from (seed, epoch) alone. Every process draws the same order and takes
    its own slice of each batch, so that the union over processes is what one process would have seen.

    Args:
        n: rows.
        batch_size: rows of a micro-batch over all ranks.
        weights: (n,) for sampling with replacement, None for a permutation.
    """

    def __init__(
        self,
        n: int,
        batch_size: int,
        *,
        accumulate: int,
        seed: int,
        start: int,
        stop: int,
        rank: int = 0,
        world: int = 1,
        weights: np.ndarray | None = None,
    ) -> None:
        if batch_size % world:
            raise DataError(
                "batch_size does not divide over the processes",
                expected=f"a multiple of {world}",
                got=str(batch_size),
            )
        self.n, self.seed, self.start, self.stop = n, seed, start, stop
        self.batch_size = min(batch_size, n - n % world)
        self.accumulate = accumulate
        self.rank, self.world, self.weights = rank, world, weights
        self.per_epoch = max(1, n // (self.batch_size * accumulate))

    def order(self, epoch: int) -> np.ndarray:
        """Row order of an epoch."""
        rng = np.random.default_rng((self.seed, 7919, epoch))
        if self.weights is None:
            return rng.permutation(self.n)
        return rng.choice(self.n, size=self.n, p=self.weights / self.weights.sum())

    def __len__(self) -> int:
        return (self.stop - self.start) * self.accumulate

    def __iter__(self) -> Iterator[list[Key]]:
        share = self.batch_size // self.world
        epoch, order = -1, np.empty(0, dtype=np.int64)
        for step in range(self.start, self.stop):
            if step // self.per_epoch != epoch:
                epoch = step // self.per_epoch
                order = self.order(epoch)
            for micro in range(self.accumulate):
                first = ((step % self.per_epoch) * self.accumulate + micro) * self.batch_size
                rows = np.take(order, range(first, first + self.batch_size), mode="wrap")
                yield [(epoch, int(row)) for row in rows[self.rank * share : (self.rank + 1) * share]]


def balanced_weights(part: Part, n_classes: int) -> np.ndarray:
    """Sampling weights that draw every class equally often; unknown rows are never drawn."""
    return sample_weights(part.raw, n_classes)


class Collate:
    """Stack pictures; on a CPU normalise them in the worker, by the preprocessor's own table.

    Gives (indices (N,), pictures): float32 (N, h, w, C), or uint8 where the device will normalise, which
    is a quarter of the bytes to move. Truth that came with the pictures is the third part.
    """

    def __init__(self, table: np.ndarray | None) -> None:
        self.table = table

    def __call__(self, items: list[tuple[Any, ...]]) -> tuple[torch.Tensor, ...]:
        """Items of one batch, in order."""
        indices, images, *truth = zip(*items, strict=True)
        pictures = np.stack(images)
        stacked = torch.from_numpy(pictures if self.table is None else lookup(pictures, self.table))
        return torch.tensor(indices), stacked, *(torch.from_numpy(np.stack(part)) for part in truth)


def lookup(pictures: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Normalise uint8 (N, h, w, C) by the preprocessor's (256, C) table -> float32 (N, h, w, C)."""
    n, height, width, channels = pictures.shape
    flat = cv2.LUT(pictures.reshape(n * height, width, channels), table.reshape(256, 1, channels))
    return flat.reshape(pictures.shape)


def make_loader(
    pictures: Pictures,
    steps: Steps | IdentityBatches | list[list[Key]],
    *,
    workers: int,
    table: np.ndarray | None,
) -> DataLoader:
    """A loader whose workers live as long as it does; each worker keeps to one core."""
    return DataLoader(
        pictures,
        batch_sampler=steps,
        num_workers=workers,
        collate_fn=Collate(table),
        worker_init_fn=_one_core if workers else None,
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else starting a loader would move the global random state
    )


def _one_core(_: int) -> None:
    cv2.setNumThreads(0)


def in_order(n: int, batch_size: int, *, epoch: int = 0) -> list[list[Key]]:
    """Every row once, in order; the last batch may be short."""
    return [[(epoch, i) for i in range(at, min(at + batch_size, n))] for at in range(0, n, batch_size)]
