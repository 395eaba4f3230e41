"""Fine-tuning of SFace's upper part on cached maps: LoRA, the linear layer, or the whole last block.

Everything below the last block is frozen, so its maps are computed once, for each picture and its mirror
image, and kept as float16 (embeddings stay equal to 1e-6 in cosine).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from regional.faces import FaceSet
from vnvision.data.identities import IdentityBatches
from vnvision.losses.distillation import cosine_distillation_loss, relational_distillation_loss
from vnvision.losses.margin import ClassCentres, build_head, margin_loss
from vnvision.losses.supcon import supervised_contrastive_loss
from vnvision.models.lora import add_lora, merge_lora
from vnvision.models.sface import build_sface

SHAPE = (2, 1024, 7, 7)
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Tuning:
    """How the upper part learns.

    Attributes:
        part: ``lora`` (rank 8 on the last 1 x 1 convolution and the linear layer), ``fc`` or ``block``.
        loss: a name of ``losses.margin.HEADS``, or ``supcon``.
        hard: batches of people and those who look most like them, instead of anybody.
        keep: weight of the distillation to the start.
        lr: at the first step; falls to 0 as a cosine.
        steps: batches.
        people: in a batch, two pictures each.
    """

    part: str
    loss: str
    hard: bool = False
    keep: float = 10.0
    lr: float = 1e-4
    steps: int = 60
    people: int = 24


def upper_part() -> nn.Sequential:
    """SFace's last block and head, in evaluation mode."""
    net = build_sface().eval()
    return nn.Sequential(net.blocks[-1], net.head)


def cached_maps(faces: FaceSet, cache: Path) -> np.ndarray:
    """(N, 2, 1024, 7, 7) float16, what the last block takes in, of each picture and its mirror image."""
    file = cache / f"maps-{hashlib.sha256(faces.crops).hexdigest()[:12]}.npy"
    if file.is_file():
        return np.load(file, mmap_mode="r")
    net = build_sface().eval()
    lower = nn.Sequential(net.stem, *net.blocks[:-1])
    part = file.with_name(f"{file.name}.part.npy")
    maps = np.lib.format.open_memmap(part, mode="w+", dtype=np.float16, shape=(len(faces), *SHAPE))
    with torch.no_grad():
        for at in range(0, len(faces), _AT_ONCE):
            x = torch.from_numpy(faces.crops[at : at + _AT_ONCE]).permute(0, 3, 1, 2).float()
            maps[at : at + _AT_ONCE, 0] = lower(x).numpy()
            maps[at : at + _AT_ONCE, 1] = lower(x.flip(3)).numpy()
    maps.flush()
    part.replace(file)
    return np.load(file, mmap_mode="r")


@torch.no_grad()
def embed(net: nn.Module, maps: np.ndarray) -> np.ndarray:
    """Flip-averaged unit embeddings (N, 128) of cached maps."""
    out = []
    for at in range(0, len(maps), _AT_ONCE):
        x = torch.from_numpy(maps[at : at + _AT_ONCE].astype(np.float32))
        both = net(x[:, 0]) + net(x[:, 1])
        out.append(nn.functional.normalize(both, dim=1).numpy())
    return np.concatenate(out)


def tune(faces: FaceSet, maps: np.ndarray, generic: np.ndarray, how: Tuning, seed: int = 0) -> nn.Module:
    """Train the upper part on people with names, held to the start on them and on faces without names.

    Args:
        faces: N training pictures.
        maps: (N, 2, 1024, 7, 7) of them.
        generic: (M, 2, 1024, 7, 7) of faces of all kinds.
        how: the recipe.
        seed: of batches, mirror images and new weights.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    start, net = upper_part(), _parts_to_learn(upper_part(), how.part)
    names, codes = np.unique(faces.people, return_inverse=True)
    means = np.stack([faces.embeddings[codes == c].mean(axis=0) for c in range(len(names))])
    centres = _centres_at(means)
    head = None if how.loss == "supcon" else build_head(how.loss)
    learning = [p for p in net.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(
        [{"params": learning}, {"params": centres.parameters(), "lr": 1e-3}], lr=how.lr, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, how.steps)
    for rows in _batches(codes, means, how, rng):
        x = _drawn(maps, rows, rng)
        other = _drawn(generic, rng.choice(len(generic), len(rows) // 2, replace=False), rng)
        target = torch.from_numpy(codes[rows])
        z = net(torch.cat([x, other]))
        with torch.no_grad():
            was = start(torch.cat([x, other]))
        named = z[: len(rows)]
        by_head = None if head is None else margin_loss(head, centres(named, target))
        loss = supervised_contrastive_loss(named, target) if by_head is None else by_head
        loss = loss + how.keep * cosine_distillation_loss(z, was)
        loss = loss + how.keep * relational_distillation_loss(z[len(rows) :], was[len(rows) :])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        schedule.step()
    merge_lora(net)
    return net


def _centres_at(means: np.ndarray) -> ClassCentres:
    """Class centres at the start's own means: random ones would first tear the embedding apart."""
    centres = ClassCentres(*means.shape)
    with torch.no_grad():
        centres.weight.copy_(nn.functional.normalize(torch.from_numpy(means), dim=1))
    return centres


def _parts_to_learn(net: nn.Sequential, part: str) -> nn.Sequential:
    if part == "lora":
        add_lora(net, 8, 16.0, ["0.pointwise", "1.fc"])
    elif part == "fc":
        net.requires_grad_(False)
        net[1].fc.requires_grad_(True)
    return net


def _batches(codes: np.ndarray, means: np.ndarray, how: Tuning, rng: np.random.Generator) -> list[np.ndarray]:
    """Rows of each batch: ``people`` persons, two pictures each; a person's only picture comes twice."""
    if not how.hard:
        drawn = IdentityBatches(
            codes, how.people, 2, seed=int(rng.integers(1 << 30)), start=0, stop=how.steps
        )
        return [np.array([index for _, index in batch]) for batch in drawn]
    unit = means / np.linalg.norm(means, axis=1, keepdims=True)
    nearest = np.argsort(-unit @ unit.T, axis=1)[:, 1:6]
    several = np.flatnonzero(np.bincount(codes) > 1)
    batches = []
    for _ in range(how.steps):
        seeds = rng.choice(several, how.people // 4, replace=False)
        others = [rng.choice(nearest[one], 3, replace=False) for one in seeds]
        people = np.unique(np.concatenate([seeds, *others]))
        batches.append(np.concatenate([_two(np.flatnonzero(codes == one), rng) for one in people]))
    return batches


def _two(rows: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(rows, 2, replace=len(rows) < 2)


def _drawn(maps: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> torch.Tensor:
    """Maps of the rows, each of the picture or of its mirror image."""
    sides = rng.integers(0, 2, len(rows))
    return torch.from_numpy(
        np.stack([maps[r, s] for r, s in zip(rows, sides, strict=True)]).astype(np.float32)
    )
