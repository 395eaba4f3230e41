"""The recipes to choose among, and what each makes of all pictures when some folds are left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from regional import transforms
from regional.faces import FaceSet, averaged_views, load_sets
from regional.folds import assign_folds, without_the_same_people
from regional.network import Tuning, cached_maps, embed, tune
from regional.transforms import Training, Transform

N_FOLDS = 5
Fit = Callable[[Training], Transform]
FITS: Mapping[str, Fit] = {
    "start": transforms.unchanged,
    "centred 0.5": partial(transforms.centred, share=0.5),
    "centred 1": partial(transforms.centred, share=1.0),
    "without group means 0.5": partial(transforms.without_group_means, share=0.5),
    "whitened 0.95": partial(transforms.whitened, shrinkage=0.95),
    "whitened 0.9": partial(transforms.whitened, shrinkage=0.9),
    "whitened 0.8": partial(transforms.whitened, shrinkage=0.8),
    "within 0.7": partial(transforms.within_normalised, shrinkage=0.7),
    "adapter adaface": partial(transforms.adapted, loss="adaface", keep=10.0),
    "adapter arcface": partial(transforms.adapted, loss="arcface", keep=20.0),
    "adapter cosface": partial(transforms.adapted, loss="cosface", keep=50.0),
    "adapter supcon hard": partial(transforms.adapted, loss="supcon", keep=5.0),
}
TUNINGS: Mapping[str, Tuning] = {
    "lora adaface": Tuning("lora", "adaface", lr=3e-4, keep=5.0),
    "lora supcon hard": Tuning("lora", "supcon", hard=True, lr=3e-4),
    "fc supcon hard": Tuning("fc", "supcon", hard=True),
    "block arcface": Tuning("block", "arcface", lr=3e-5),
}
VIEWS = " + views"
REALIGNED = "realigned"
# Of the recipes on finished embeddings, those that are tried on the mean of several views too.
WITH_VIEWS = ("start", "centred 0.5", "centred 1", "whitened 0.95", "whitened 0.9", "whitened 0.8")


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What a model makes of all pictures: unit embeddings of each set, (N, 128)."""

    portraits: np.ndarray
    lfw: np.ndarray
    others: np.ndarray
    generic: np.ndarray


class Workshop:
    """The sets, the folds, and what each recipe makes of them.

    Args:
        manifest: ``faces/manifest.csv``.
        cache: folder for crops, maps and views.
        seed: of the folds.
    """

    def __init__(self, manifest: Path, cache: Path, seed: int = 0) -> None:
        sets = load_sets(manifest, cache)
        self.cache = cache
        self.portraits, self.lfw = sets["asianfaces_dev"], sets["lfw_2folds"]
        self.others = without_the_same_people(sets["rmfd_faces"], self.portraits)
        self.generic = without_the_same_people(sets["utkface_sample"], self.portraits)
        self.folds = assign_folds(self.portraits, N_FOLDS, seed)
        self._made: dict[tuple[str, frozenset[int]], Made] = {}

    def make(self, recipe: str, left_out: frozenset[int]) -> Made:
        """What a recipe makes of all pictures, learnt without the people of the folds left out.

        ``realigned`` is SFace on crops by refined landmarks, ``A > B`` is B fitted on what A gives, and
        `` + views`` fits on one view and answers with the mean of six.
        """
        key = (recipe, left_out)
        if key not in self._made:
            self._made[key] = self._new(recipe, left_out)
        return self._made[key]

    def _new(self, recipe: str, left_out: frozenset[int]) -> Made:
        if recipe == REALIGNED:
            return Made(*(faces.realigned for faces in self._sets()))
        before, _, last = recipe.removesuffix(VIEWS).rpartition(" > ")
        if last in TUNINGS:
            return self._tuned(TUNINGS[last], left_out)
        base = self.make(before, left_out) if before else self._start()
        kept = ~np.isin(self.folds, list(left_out))
        portraits = replace(self.portraits, embeddings=base.portraits).rows(kept)
        others = replace(self.others, embeddings=base.others)
        generic = replace(self.generic, embeddings=base.generic)
        transform = FITS[last](Training(portraits, joined(portraits, others), generic))
        if recipe.endswith(VIEWS):
            seen = (averaged_views(faces, self.cache) for faces in (self.portraits, self.lfw))
            base = Made(*seen, base.others, base.generic)
        return Made(*(transform(rows) for rows in (base.portraits, base.lfw, base.others, base.generic)))

    def _start(self) -> Made:
        return Made(*(faces.embeddings for faces in self._sets()))

    def _sets(self) -> tuple[FaceSet, FaceSet, FaceSet, FaceSet]:
        return self.portraits, self.lfw, self.others, self.generic

    def _tuned(self, how: Tuning, left_out: frozenset[int]) -> Made:
        maps = [cached_maps(faces, self.cache) for faces in self._sets()]
        kept = np.flatnonzero(~np.isin(self.folds, list(left_out)))
        people = joined(self.portraits.rows(kept), self.others)
        net = tune(people, np.concatenate([maps[0][kept], maps[2]]), maps[3], how)
        return Made(*(embed(net, some) for some in maps))


def joined(one: FaceSet, other: FaceSet) -> FaceSet:
    """Two sets as one."""
    names = FaceSet.__slots__
    return FaceSet(*(np.concatenate([getattr(one, name), getattr(other, name)]) for name in names))
