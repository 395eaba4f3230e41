"""Augmentation of a whole batch on its device, each row by its own key.

What a name of ``AugmentSpec`` means here is what it means in ``vnvision.data.augment``; only the random
numbers behind it are others. A row's result follows from (seed, epoch, row) alone, whatever batch it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from vnvision.data.augment import AugmentSpec
from vnvision.errors import ConfigError, DataError
from vnvision.train import augment_keys as keyed
from vnvision.train import augment_ops as ops
from vnvision.train.augment_keys import Draw

Change = Callable[[torch.Tensor, AugmentSpec, Draw, torch.Tensor], torch.Tensor]


class BatchAugmenter:
    """Change uint8 pictures of one size: cut, turn, flip, recolour, spoil.

    Args:
        spec: what may change; ``jpeg``, ``field`` and ``extra`` have no batched form.
        seed: with epoch and row it keys everything.
        low_resolution: chance of a picture shrunk and enlarged again, as from a far camera.
        low_resolution_scale: its side in between, share of the whole.

    Raises:
        ConfigError: the spec asks for what has no batched form, or a share is out of range.
    """

    def __init__(
        self,
        spec: AugmentSpec,
        seed: int,
        *,
        low_resolution: float = 0.0,
        low_resolution_scale: tuple[float, float] = (0.25, 0.75),
    ) -> None:
        missing = {"jpeg": spec.jpeg > 0, "field": spec.field is not None, "extra": bool(spec.extra)}
        if names := [name for name, asked in missing.items() if asked]:
            raise ConfigError(
                f"augmentation in batches has no {', '.join(names)}", fix="leave it out, or resident=false"
            )
        low, high = low_resolution_scale
        if not (0 <= low_resolution <= 1 and 0 < low <= high <= 1):
            raise ConfigError(
                "low_resolution is wrong",
                expected="a chance in 0..1, and (low, high) shares of the side in 0..1",
                got=f"{low_resolution} {low_resolution_scale}",
            )
        self.spec, self.seed = spec, seed
        self.low_resolution, self.low_resolution_scale = low_resolution, (low, high)

    def __call__(self, pictures: torch.Tensor, keys: Sequence[tuple[int, int]]) -> torch.Tensor:
        """Augment a batch.

        Args:
            pictures: (N, h, w, 3) uint8, on any device.
            keys: (epoch, row) of each.

        Returns:
            (N, h, w, 3) uint8 on the same device.

        Raises:
            DataError: another shape or dtype, or another number of keys.
        """
        if pictures.dtype != torch.uint8 or pictures.ndim != 4 or pictures.shape[3] != 3:
            got = f"{tuple(pictures.shape)} {pictures.dtype}"
            raise DataError("cannot augment a batch", expected="(N, h, w, 3) uint8", got=got)
        if len(keys) != len(pictures):
            raise DataError("keys of a batch", expected=str(len(pictures)), got=str(len(keys)))
        streams = keyed.row_keys(self.seed, keys)
        return self.changed(pictures, keyed.draws(streams), streams)

    def changed(self, pictures: torch.Tensor, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
        """The batch as decided: ``draw`` holds (N,) numbers in [0, 1) a name of ``augment_keys.DRAWS``."""
        spec, size_px = self.spec, (pictures.shape[1], pictures.shape[2])
        x = pictures.permute(0, 3, 1, 2)
        where = keyed.places(spec, size_px, draw)
        if where is not None:
            x = ops.moved(x.float(), where)
        if spec.stain:
            x = ops.stained(x.float(), spec.stain, draw)
        colours = keyed.colours(spec, draw)
        if colours is not None:
            x = ops.recoloured(x.float(), colours)
        for rows, change in (
            (draw["shadow"] < spec.shadow, ops.shaded),
            (draw["blur"] < spec.blur, ops.blurred),
            (draw["low_resolution"] < self.low_resolution, self._coarse),
            (draw["noise"] < spec.noise, ops.grained),
            (draw["cutout"] < spec.cutout, ops.cut_out),
        ):
            x = _for_rows(x, np.flatnonzero(rows), change, spec, draw, streams)
        result = x if x.dtype == torch.uint8 else x.to(torch.uint8)
        return result.permute(0, 2, 3, 1).contiguous()

    def _coarse(self, x: torch.Tensor, spec: AugmentSpec, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
        return ops.coarsened(x, keyed.within(self.low_resolution_scale, draw["side"]))


def _for_rows(
    x: torch.Tensor,
    rows: np.ndarray,
    change: Change,
    spec: AugmentSpec,
    draw: Draw,
    streams: torch.Tensor,
) -> torch.Tensor:
    """``change`` applied to some rows, with their own decisions."""
    if not len(rows):
        return x
    x = x.float().clone() if x.dtype == torch.uint8 else x
    at = ops.index(rows, x.device)
    own = {name: values[rows] for name, values in draw.items()}
    x[at] = change(x[at], spec, own, streams[torch.from_numpy(rows)])
    return x
