"""Does training from scratch learn its people by heart, and tell strangers apart better than by chance?

    python datasets/faces_shared/prepare.py $VNVISION_DATA/faces --out FACES
    VNVISION_FACES=FACES python training/benchmarks/face_sanity.py --out RUN
    VNVISION_FACES=FACES python training/benchmarks/face_sanity.py --out RUN --read

Trains ``training/configs/embed/mobilefacenet_scratch.yaml`` (``--set KEY=VALUE`` changes it), or with
``--read`` takes the run that is there. Prints JSON: the share of training pictures, without augmentation,
whose nearest class centre is their own; on people of the test split AUROC, EER and TAR at FMR 1 %, with 95 %
intervals over people drawn again, all together and by set; the same figures of the untrained network, since
random weights too tell a bright picture from a dark one; and the curve by epoch. Pictures are compared within
a set only.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.errors import ModelError
from vnvision.imaging import Preprocessor
from vnvision.metrics.bootstrap import ClusterBootstrap
from vnvision.metrics.comparisons import Comparisons, tar_at_fmr
from vnvision.metrics.verification import eer
from vnvision.train import checkpoint
from vnvision.train.config import TrainConfig, load_config, parse_overrides
from vnvision.train.faces import build_criterion, identities, reading
from vnvision.train.network import build_network
from vnvision.train.prepare import task_spec
from vnvision.train.protocols import read_crops
from vnvision.train.run import train

CONFIG = Path(__file__).parents[1] / "configs" / "embed" / "mobilefacenet_scratch.yaml"
CURVE = ("epoch", "lr", "train_loss", "val_strangers_tar", "val_strangers_eer", "images_per_s", "seconds")
FMR = 0.01
SET = "set"
_BATCH = 64


class Judge:
    """A run's data, read once, and networks judged on it."""

    def __init__(self, config: TrainConfig) -> None:
        assert config.embedding is not None
        self.config, self.embedding = config, config.embedding
        self.manifest = read_manifest(config.data)
        self.spec = task_spec(config, self.manifest)
        self.preprocessor = Preprocessor(reading(self.spec.preprocess))
        self.test = self.manifest.split(config.test_split or "test")
        self.test_crops = read_crops(self.test, self.preprocessor)

    def network(self, folder: Path | None) -> torch.nn.Module:
        """The network of a checkpoint; random weights without one, as the run began with."""
        torch.manual_seed(self.config.seed)
        net = build_network(self.config.model_dump(), self.spec, weights="none")
        if folder is not None:
            net.load_state_dict(checkpoint.load(folder, "model"))
        return net.eval()

    def embed(self, net: torch.nn.Module, crops: np.ndarray) -> np.ndarray:
        """(N, D) unit rows."""
        out = []
        for at in range(0, len(crops), _BATCH):
            batch = np.stack([self.preprocessor.normalise(crop) for crop in crops[at : at + _BATCH]])
            with torch.inference_mode():
                out.append(torch.nn.functional.normalize(net(torch.from_numpy(batch))).numpy())
        return np.concatenate(out)

    def training_accuracy(self, folder: Path) -> dict[str, float]:
        """Share of training pictures nearest to their own class's centre, the margin left out."""
        part = self.manifest.split(self.config.train_split)
        part = part.where(identities(part, self.embedding.identity) >= 0)
        target = identities(part, self.embedding.identity)
        criterion = build_criterion(self.embedding, int(target.max()) + 1, self.config.seed)
        assert criterion is not None
        criterion.load_shards(sorted((folder / "centres").glob("*.safetensors")), optimiser=False)
        centres = torch.nn.functional.normalize(criterion.weight).numpy()
        rows = self.embed(self.network(folder), read_crops(part, self.preprocessor))
        nearest = (rows @ centres.T).argmax(axis=1) // criterion.sub_centres
        return {
            "accuracy": float((nearest == target).mean()),
            "pictures": len(target),
            "people": criterion.n_classes,
        }

    def strangers(self, folder: Path | None, n_boot: int) -> dict[str, Any]:
        """AUROC, EER and TAR at FMR 1 % between people of the test split, ``all`` and by set."""
        rows = self.embed(self.network(folder), self.test_crops)
        sets = np.array([row.extra.get(SET, "") for row in self.test.rows])
        asked = {"all": np.full(len(sets), True)} | {name: sets == name for name in np.unique(sets) if name}
        return {
            name: verification(
                pairs_within(rows[kept], self.test.where(kept), self.embedding.identity), n_boot
            )
            for name, kept in asked.items()
        }


def pairs_within(rows: np.ndarray, manifest: Manifest, identity: str, within: str = SET) -> Comparisons:
    """Every pair of pictures of one set; of all pictures where the manifest names no sets."""
    people = np.array([row.extra[identity] for row in manifest.rows])
    sets = np.array([row.extra.get(within, "") for row in manifest.rows])
    first, second = np.triu_indices(len(rows), 1)
    kept = sets[first] == sets[second]
    first, second = first[kept], second[kept]
    return Comparisons.from_pairs((rows[first] * rows[second]).sum(axis=1), people[first], people[second])


def auroc(pairs: Comparisons, weights: np.ndarray) -> float:
    """Chance that a genuine pair scores higher than an impostor pair, ties half, each person so often."""
    scores = np.concatenate([pairs.genuine, pairs.impostor])
    own = weights[pairs.genuine_subjects]
    others = weights[pairs.impostor_subjects[:, 0]] * weights[pairs.impostor_subjects[:, 1]]
    values, place = np.unique(scores, return_inverse=True)
    genuine = np.bincount(place[: len(own)], own, len(values))
    impostor = np.bincount(place[len(own) :], others, len(values))
    below = np.cumsum(impostor) - impostor
    total = genuine.sum() * impostor.sum()
    return float((genuine * (below + impostor / 2)).sum() / total) if total else float("nan")


def verification(pairs: Comparisons, n_boot: int) -> dict[str, Any]:
    """AUROC and TAR with intervals over people, and EER; 0.5, the FMR and 0.5 are what chance gives."""
    tar = tar_at_fmr(pairs, target=FMR, n_boot=n_boot).tar
    blocks = ClusterBootstrap(range(pairs.n_subjects), n_boot, 0).blocks()
    draws = [auroc(pairs, weights.astype(float)) for block in blocks for weights in block.T]
    low, high = np.nanquantile(draws, (0.025, 0.975)) if draws else (None, None)
    return {
        "auroc": {"value": auroc(pairs, np.ones(pairs.n_subjects)), "low": low, "high": high},
        f"tar_fmr{FMR:g}": {"value": tar.value, "low": tar.low, "high": tar.high},
        "eer": eer(pairs.genuine, pairs.impostor).rate,
        "people": pairs.n_subjects,
        "genuine": len(pairs.genuine),
        "impostor": len(pairs.impostor),
    }


def curve(run: Path) -> list[dict[str, float]]:
    """The rows of ``log.csv`` that matter here."""
    with (run / "log.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return [{key: float(row[key]) for key in CURVE if row.get(key)} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--read", action="store_true", help="the run is there: judge it")
    parser.add_argument("--boot", type=int, default=1000, help="resamples of people")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the configuration")
    args = parser.parse_args()
    config = load_config(args.config, parse_overrides(args.set) | {"output": str(args.out)})
    if not args.read:
        train(config)
    newest = checkpoint.latest(args.out / "checkpoints")
    if newest is None:
        raise ModelError(f"{args.out} holds no checkpoint", fix="train without --read")
    judge = Judge(config)
    result = {
        "training": judge.training_accuracy(newest),
        "strangers": judge.strangers(newest, args.boot),
        "strangers_untrained": judge.strangers(None, args.boot),
        "curve": curve(args.out),
    }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
