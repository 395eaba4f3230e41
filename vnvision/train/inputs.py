"""Batches for a phase: pictures from the loader, or features from a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch

from vnvision.data.augment import Augmenter, AugmentSpec
from vnvision.data.identities import IdentityBatches
from vnvision.errors import ConfigError
from vnvision.imaging import Preprocessor
from vnvision.tasks import Batch
from vnvision.train.augment_batch import BatchAugmenter
from vnvision.train.data import Part, Pictures, Steps, in_order, lookup, make_loader
from vnvision.train.resident import load_resident
from vnvision.train.state import Run

CACHE_LIMIT_BYTES = 8 << 30
Feed = Callable[[Steps | IdentityBatches], Iterator[Batch]]


def to_device(run: Run, pictures: torch.Tensor) -> torch.Tensor:
    """(N, h, w, C) from a worker -> normalised (N, C, h, w) on the device, in the run's memory layout."""
    moved = pictures.to(run.device, non_blocking=True)
    if moved.dtype == torch.uint8:
        table = torch.as_tensor(run.preprocessor.table, device=run.device)
        channels = torch.arange(table.shape[1], device=run.device)
        moved = table[moved.long(), channels]
    inputs = moved.permute(0, 3, 1, 2)
    if not run.channels_last:
        inputs = inputs.contiguous()
    return inputs


def worker_table(run: Run) -> np.ndarray | None:
    """The table workers normalise with; None where the device does it."""
    return run.preprocessor.table if run.device.type == "cpu" else None


def picture_feed(run: Run, size_px: int, augment: AugmentSpec) -> Feed:
    """Augmented pictures at a size: read by workers, or kept on the device where the run does so."""
    if run.facts["resident"]:
        return resident_feed(run, size_px, augment)
    pictures = _pictures(run, run.train, size_px, augment)

    def feed(steps: Steps | IdentityBatches) -> Iterator[Batch]:
        loader = make_loader(pictures, steps, workers=run.config.workers, table=worker_table(run))
        for rows, images, *truth in loader:
            yield _batch(run, rows, _frozen(run, to_device(run, images)), *truth)

    return feed


def resident_feed(run: Run, size_px: int, augment: AugmentSpec) -> Feed:
    """Pictures decoded once, at the size of the phase, and augmented in batches on the device.

    Every process keeps all of them: which rows it will be given differs from epoch to epoch.
    """
    config = run.config
    change = BatchAugmenter(
        augment,
        config.seed,
        low_resolution=config.low_resolution,
        low_resolution_scale=config.low_resolution_scale,
    )
    plain = _pictures(run, run.train, size_px, AugmentSpec())
    store = load_resident(plain, workers=config.workers, device=run.device)
    run.log.say(f"{len(store)} pictures resident, {store.numel() / (1 << 30):.2f} GiB")

    def feed(steps: Steps | IdentityBatches) -> Iterator[Batch]:
        for keys in steps:
            rows = torch.tensor([row for _, row in keys])
            images = change(store[rows.to(run.device)], keys)
            if (table := worker_table(run)) is not None:
                images = torch.from_numpy(lookup(images.numpy(), table))
            yield _batch(run, rows, _frozen(run, to_device(run, images)))

    return feed


def cached_feed(run: Run, size_px: int, augment: AugmentSpec, views: int) -> Feed:
    """What the frozen stages make of ``views`` augmented views, computed once; epoch e takes view e mod V."""
    pictures = _pictures(run, run.train, size_px, augment)
    cache = torch.stack([features(run, pictures, view, views) for view in range(views)])
    run.log.say(f"cached {views} views of {len(pictures)} pictures: {tuple(cache.shape[2:])}")

    def feed(steps: Steps | IdentityBatches) -> Iterator[Batch]:
        for keys in steps:
            view, rows = keys[0][0] % views, torch.tensor([row for _, row in keys])
            inputs = cache[view, rows].to(run.device).float()
            if inputs.ndim == 4 and run.channels_last:
                inputs = inputs.contiguous(memory_format=torch.channels_last)
            yield _batch(run, rows, inputs)

    return feed


def _frozen(run: Run, inputs: torch.Tensor) -> torch.Tensor:
    """Through the stages that do not learn, where there are any."""
    if not run.net.n_frozen:
        return inputs
    with run.fabric.autocast():
        return run.net.frozen(inputs)


def adapt_norms(run: Run, size_px: int, augment: AugmentSpec, batches: int) -> None:
    """Measure the frozen part's BatchNorm statistics on augmented training pictures.

    Every process reads the same ones, so that all end with the same statistics.
    """
    pictures, size = _pictures(run, run.train, size_px, augment), run.config.batch_size
    steps = Steps(len(run.train), size, accumulate=1, seed=run.config.seed, start=0, stop=batches)
    loader = make_loader(pictures, steps, workers=run.config.workers, table=worker_table(run))
    measured = run.net.adapt_norms(to_device(run, images) for _, images, *_ in loader)
    run.log.say(f"measured {measured} frozen BatchNorm layers anew on {batches} batches")


def features(run: Run, pictures: Pictures, epoch: int, views: int = 1) -> torch.Tensor:
    """The frozen stages' output for every picture, in order (N, ...), maps as float16.

    Raises:
        ConfigError: it would not fit in memory.
    """
    loader = make_loader(
        pictures,
        in_order(len(pictures), 64, epoch=epoch),
        workers=run.config.workers,
        table=worker_table(run),
    )
    store: torch.Tensor | None = None
    run.net.eval()
    for rows, images in loader:
        with run.fabric.autocast():
            out = run.net.frozen(to_device(run, images))
        out = out.to("cpu", torch.float16 if out.ndim == 4 else torch.float32)
        if store is None:
            store = _allocate(out, len(pictures), views)
        store[rows] = out
    if store is None:
        raise ConfigError("nothing to cache", got="no pictures")
    return store


def evaluation_pictures(run: Run, part: Part) -> Pictures:
    """A part without augmentation, through the deployed geometry."""
    return Pictures(part.files, run.preprocessor, None, run.config.seed, part.truth)


def _allocate(example: torch.Tensor, n: int, views: int) -> torch.Tensor:
    shape = (n, *example.shape[1:])
    size = example[0].numel() * example.element_size() * n * views
    if size > CACHE_LIMIT_BYTES:
        raise ConfigError(
            "the feature cache is too large",
            expected=f"at most {CACHE_LIMIT_BYTES >> 30} GiB",
            got=f"{size / (1 << 30):.1f} GiB",
            fix="freeze more stages, lower cache_views or size_px",
        )
    return torch.empty(shape, dtype=example.dtype)


def _pictures(run: Run, part: Part, size_px: int, augment: AugmentSpec) -> Pictures:
    spec = run.preprocessor.spec
    augmenter = Augmenter(
        augment, (size_px, size_px), geometry=spec.geometry, interpolation=spec.interpolation
    )
    # Letterboxing comes before augmentation, at the size of this phase.
    before = Preprocessor(spec.model_copy(update={"size_px": (size_px, size_px)}))
    return Pictures(part.files, before, augmenter, run.config.seed, part.truth)


def _batch(run: Run, rows: torch.Tensor, inputs: torch.Tensor, truth: torch.Tensor | None = None) -> Batch:
    if truth is not None:
        return Batch(inputs, truth.to(run.device, non_blocking=True), run.train.known[rows].to(run.device))
    return Batch(inputs, run.train.targets[rows].to(run.device), run.train.known[rows].to(run.device))
