"""What batched augmentation does to pictures (N, C, h, w) of whole levels 0..255, held as float.

Every row is worked out by itself, term by term, so that its bits do not depend on the rest of the batch.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn import functional

from vnvision.data.augment import AugmentSpec
from vnvision.data.augment_colour import LUMA
from vnvision.train import augment_keys as keyed
from vnvision.train.augment_keys import Draw

_SHADE_SIDE = 4
_SHADE, _GRAIN = 1 << 20, 2 << 20  # places in a row's stream, behind its decisions


def moved(x: torch.Tensor, where: keyed.Places) -> torch.Tensor:
    """Sample linearly; what lies outside the picture is mirrored, without repeating its border."""
    height, width = x.shape[2:]
    matrix, shift, low, high = (
        _tensor(part, x) for part in (where.matrix, where.shift, where.low, where.high)
    )
    column = torch.arange(width, device=x.device, dtype=x.dtype)[None, None, :, None]
    row = torch.arange(height, device=x.device, dtype=x.dtype)[None, :, None, None]
    place = matrix[:, None, None, :, 0] * column + matrix[:, None, None, :, 1] * row + shift[:, None, None]
    place = torch.maximum(torch.minimum(place, high[:, None, None]), low[:, None, None])
    last = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=x.device, dtype=x.dtype)
    grid = place * (2 / last) - 1
    return levels(functional.grid_sample(x, grid, padding_mode="reflection", align_corners=True))


def stained(x: torch.Tensor, strength: float, draw: Draw) -> torch.Tensor:
    """Each channel's optical density scaled (Beer-Lambert)."""
    names = ("stain_r", "stain_g", "stain_b")
    density = np.stack([keyed.spread(strength, draw[name]) for name in names], axis=1)
    return levels(255 * (x / 255) ** _tensor(density, x)[:, :, None, None])


def recoloured(x: torch.Tensor, colours: keyed.Colours) -> torch.Tensor:
    """One matrix a picture, term by term: a matrix product may round by the size of the batch."""
    matrix = _tensor(colours.matrix, x)[..., None, None]
    means = _means(x)
    luma = sum(means[:, c] * float(LUMA[c]) for c in range(3))
    offset = (torch.as_tensor(colours.offset, device=x.device) * luma).to(x.dtype)[:, None, None, None]
    terms = [matrix[:, :, c] * x[:, c : c + 1] for c in range(3)]
    return levels(terms[0] + terms[1] + terms[2] + offset)


def coarsened(x: torch.Tensor, share: np.ndarray) -> torch.Tensor:
    """To ``share`` (N,) of the side by area, and back linearly; rows of one size together."""
    height, width = x.shape[2:]
    rows_left = np.maximum(np.rint(share * height), 1).astype(np.int64)
    out = torch.empty_like(x)
    for side in np.unique(rows_left).tolist():
        rows = index(np.flatnonzero(rows_left == side), x.device)
        small = (side, max(1, round(side * width / height)))
        shrunk = levels(functional.interpolate(x[rows], size=small, mode="area"))
        out[rows] = levels(functional.interpolate(shrunk, size=(height, width), mode="bilinear"))
    return out


def shaded(x: torch.Tensor, spec: AugmentSpec, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
    """Darken soft patches, as leaves, hands and clouds do."""
    grid = 1.2 * keyed.normal(streams, _SHADE_SIDE**2, _SHADE).view(-1, 1, _SHADE_SIDE, _SHADE_SIDE)
    patches = functional.interpolate(grid.clamp(-1, 1), size=x.shape[2:], mode="bicubic").to(x.device)
    strength = _tensor(keyed.within(spec.shadow_strength, draw["shade"]), x)[:, None, None, None]
    gain = (255 * (1 - strength * (0.5 + 0.5 * patches))).clamp(0, 255).floor()
    return levels(x * gain / 255)


def blurred(x: torch.Tensor, spec: AugmentSpec, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
    """A Gaussian of each row's own width, borders mirrored; the kernel reaches as far as OpenCV's."""
    sigma = keyed.within(spec.blur_sigma_px, draw["sigma"])
    reach = (np.rint(6 * sigma + 1).astype(np.int64) | 1) // 2
    limit = min(x.shape[2:]) - 1
    steps = np.arange(-min(int(reach.max()), limit), min(int(reach.max()), limit) + 1)
    weights = np.exp(-0.5 * (steps / np.asarray(sigma)[:, None]) ** 2)
    weights *= np.abs(steps) <= reach[:, None]
    kernel = _tensor(weights / weights.sum(axis=1, keepdims=True), x)
    for axis in (2, 3):
        pad = int(steps[-1])
        wide = functional.pad(x, (0, 0, pad, pad) if axis == 2 else (pad, pad, 0, 0), mode="reflect")
        x = sum(
            kernel[:, i, None, None, None] * wide.narrow(axis, i, x.shape[axis]) for i in range(len(steps))
        )  # type: ignore[assignment]
    return levels(x)


def grained(x: torch.Tensor, spec: AugmentSpec, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
    """Normal noise of each row's own strength."""
    grain = keyed.normal(streams.to(x.device), math.prod(x.shape[1:]), _GRAIN).view(x.shape)
    return levels(x + grain * _tensor(keyed.within(spec.noise_std, draw["std"]), x)[:, None, None, None])


def cut_out(x: torch.Tensor, spec: AugmentSpec, draw: Draw, streams: torch.Tensor) -> torch.Tensor:
    """A rectangle of the picture's own mean colour."""
    height, width = x.shape[2:]
    side = keyed.within(spec.cutout_side, draw["cut"])
    inside = torch.ones((len(x), 1, height, width), dtype=torch.bool, device=x.device)
    for name, length, shape in (("cut_y", height, (-1, 1, height, 1)), ("cut_x", width, (-1, 1, 1, width))):
        extent = np.rint(side * length)
        first = np.rint(draw[name] * (length - extent))
        place = np.arange(length)
        hit = (place >= first[:, None]) & (place < (first + extent)[:, None])
        inside = inside & torch.from_numpy(hit).to(x.device).view(shape)
    return torch.where(inside, _means(x).round().to(x.dtype)[:, :, None, None], x)


def _means(x: torch.Tensor) -> torch.Tensor:
    """(N, 3) float64 mean of whole levels: sums of whole numbers do not depend on how they are split."""
    return x.long().sum(dim=(2, 3)).double() / (x.shape[2] * x.shape[3])


def levels(x: torch.Tensor) -> torch.Tensor:
    """Whole levels 0..255, still float."""
    return x.round().clamp(0, 255)


def _tensor(values: object, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(np.asarray(values), dtype=like.dtype).to(like.device, non_blocking=True)


def index(rows: np.ndarray, device: torch.device) -> torch.Tensor:
    """Row numbers on a device."""
    return torch.from_numpy(rows).to(device, non_blocking=True)
