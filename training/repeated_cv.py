"""Judge a recipe on a set too small for a test split: repeated group cross-validation over all its rows.

    python training/repeated_cv.py training/configs/classify/uci_rice.yaml --repeats 20 --folds 5 --out DIR \
        --compare geometry=strips

Every repeat deals all rows of the manifest, whatever their split, into folds that never divide a group. A
model that never saw a fold answers it; no epoch is chosen on it, the last one counts.

``--mode features`` (default): the frozen stages run once a view, and what learns is trained for each fold on
what they gave: the network, sampler, schedule, optimiser and loss of ``vnvision train`` for a phase with
``cache_views``. It needs a config of one such phase. ``--mode train`` runs ``vnvision train`` for each fold.

Accuracy is the mean over repeats of one model's answers, not that of their vote. Its interval draws groups
with replacement and keeps each group's mean over repeats (``metrics.bootstrap``); the spread over repeats
is shown beside it. It does not cover another camera, field or variety.

``--compare KEY=VALUE ...`` judges a changed recipe on the same folds and gives the paired difference.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vnvision import atomic
from vnvision.data.augment import Augmenter
from vnvision.data.linked import link_folder
from vnvision.data.manifest import Manifest, read_manifest, write_manifest
from vnvision.data.sampling import sample_weights
from vnvision.data.splits import group_folds
from vnvision.errors import ConfigError, VnvisionError
from vnvision.evaluate.repeated import paired_change, repeated_figures
from vnvision.imaging import Preprocessor, read
from vnvision.models import StagedNet
from vnvision.train.config import TrainConfig, load_config, parse_overrides, to_yaml
from vnvision.train.data import Pictures, Steps, in_order, lookup
from vnvision.train.engine import build_optimiser
from vnvision.train.folds import fold_state, train_apart
from vnvision.train.network import build_network
from vnvision.train.predictor import load_run
from vnvision.train.prepare import task_spec
from vnvision.train.schedule import warmup_cosine

_BATCH = 16


@dataclass(frozen=True, slots=True)
class Features:
    """What the frozen stages give: ``clean`` (N, ...) and ``views`` (V, N, ...)."""

    clean: torch.Tensor
    views: torch.Tensor


def not_followed(config: TrainConfig) -> list[str]:
    """Settings that ``vnvision train`` follows and the features mode does not; empty where it may be used."""
    phase = config.phases[0]
    plain = {
        "task": config.task == "classification",
        "mixup": not config.mixup,
        "cutmix": not config.cutmix,
        "balance": config.balance != "loss",
        "ema": config.ema is None,
        "accumulate": config.accumulate == 1,
        "logit_adjust": not config.logit_adjust,
        "optimiser": config.optimiser == "adamw",
        "layer_decay": config.layer_decay in (None, 1.0),
        "flip_average": not config.flip_average,
        "precision": config.precision in ("auto", "32-true"),
    }
    found = [f"{name}={getattr(config, name)}" for name, fine in plain.items() if not fine]
    found += [f"{len(config.phases)} phases"] if len(config.phases) > 1 else []
    found += [] if phase.cache_views else ["a phase without cache_views"]
    found += [f"a phase with adapt_norm={phase.adapt_norm}"] if phase.adapt_norm else []
    return found + (
        [] if phase.layer_decay in (None, 1.0) else [f"a phase with layer_decay={phase.layer_decay}"]
    )


@torch.no_grad()
def frozen_features(config: TrainConfig, manifest: Manifest) -> tuple[StagedNet, Features]:
    """The network, frozen as its only phase says, and its features of all rows.

    Raises:
        ConfigError: more than one phase, one without ``cache_views``, or a setting of ``vnvision train`` that
            this mode does not follow.
    """
    phase = config.phases[0]
    if refused := not_followed(config):
        raise ConfigError(
            "features mode needs one phase with cache_views, and does not follow every setting",
            got=", ".join(refused),
            fix="add --mode train, or write such a config",
        )
    spec = task_spec(config, manifest)
    torch.manual_seed(config.seed)
    net = StagedNet(build_network(config.model_dump(mode="json"), spec, weights=config.weights)).eval()
    net.freeze_before(phase.train)
    prepare = Preprocessor(spec.preprocess)
    files = [manifest.file(row) for row in manifest.rows]
    size = phase.size_px or config.size_px
    augmenter = Augmenter(
        config.phase_augment(0), size, geometry=config.geometry, interpolation=config.interpolation
    )
    augmented = Pictures(files, prepare, augmenter, config.seed)

    def run(pictures: Pictures, epoch: int) -> torch.Tensor:
        parts = []
        for keys in in_order(len(files), _BATCH, epoch=epoch):
            crops = np.stack([pictures[key][1] for key in keys])
            inputs = torch.from_numpy(lookup(crops, prepare.table)).permute(0, 3, 1, 2)
            parts.append(net.frozen(inputs))
        return torch.cat(parts)

    clean = run(Pictures(files, prepare, None, config.seed), 0)
    return net, Features(clean, torch.stack([run(augmented, view) for view in range(phase.cache_views)]))


def fit_fold(
    config: TrainConfig, net: StagedNet, found: Features, targets: np.ndarray, held: np.ndarray, seed: int
) -> np.ndarray:
    """Logits (H, C) of the held-out rows by a model trained on the others, as ``train.phase`` trains it."""
    phase, rows = config.phases[0], torch.from_numpy(np.flatnonzero(~held))
    truth, learning = torch.from_numpy(targets), [p for p in net.parameters() if p.requires_grad]
    epochs, lr = phase.epochs or config.epochs, phase.lr or config.lr
    torch.manual_seed(seed)
    weights = None
    if config.balance == "sampler":
        weights = sample_weights(targets[rows.numpy()], int(targets.max()) + 1)
    steps = Steps(len(rows), config.batch_size, accumulate=1, seed=seed, start=0, stop=0, weights=weights)
    steps.stop = total = epochs * steps.per_epoch
    optimiser = build_optimiser(net.net, config, lr, None)
    net.train()
    for step, keys in enumerate(steps):
        factor = warmup_cosine(step, total, warmup=int(config.warmup * total), min_ratio=config.min_lr_ratio)
        for group in optimiser.param_groups:
            group["lr"] = lr * factor
        batch = rows[[row for _, row in keys]]
        logits = net(found.views[keys[0][0] % len(found.views), batch].clone())
        loss = torch.nn.functional.cross_entropy(logits, truth[batch], label_smoothing=config.label_smoothing)
        optimiser.zero_grad()
        loss.backward()
        if config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(learning, config.clip_norm)
        optimiser.step()
    net.eval()
    with torch.no_grad():
        return np.asarray(net(found.clean[torch.from_numpy(np.flatnonzero(held))]).numpy())


def by_features(
    config: TrainConfig, manifest: Manifest, targets: np.ndarray, folds: np.ndarray
) -> np.ndarray:
    """Out-of-fold logits (R, N, C); ``folds`` is (R, N)."""
    net, found = frozen_features(config, manifest)
    start = {name: value.clone() for name, value in net.state_dict().items()}
    answers = np.zeros((*folds.shape, len(task_spec(config, manifest).labels)), np.float32)
    for repeat, fold in enumerate(folds):
        for part in range(fold.max() + 1):
            net.load_state_dict(start)
            held = fold == part
            answers[repeat, held] = fit_fold(config, net, found, targets, held, config.seed + repeat)
        print(f"repeat {repeat + 1} of {len(folds)}", file=sys.stderr, flush=True)
    return answers


def by_training(config: TrainConfig, manifest: Manifest, folds: np.ndarray, out: Path) -> np.ndarray:
    """As ``by_features``, by ``vnvision train`` in processes of their own; folds that are done are kept.

    Raises:
        ConfigError: a fold there was trained with another configuration, on other rows or in other folds.
        ModelError: a training failed.
    """
    answers = np.zeros((*folds.shape, len(task_spec(config, manifest).labels)), np.float32)
    for repeat, part in np.ndindex(len(folds), folds.max() + 1):
        work, held = out / f"{repeat}_{part}", np.flatnonzero(folds[repeat] == part)
        _train_fold(config, manifest, folds[repeat] == part, work, config.seed + repeat)
        pictures = [read(manifest.file(manifest.rows[row])).image for row in held]
        answers[repeat, held] = load_run(work / "run").logits(pictures)
        print(f"repeat {repeat + 1} of {len(folds)}, fold {part}", file=sys.stderr, flush=True)
    return answers


def _train_fold(config: TrainConfig, manifest: Manifest, held: np.ndarray, work: Path, seed: int) -> None:
    """Train on all but the held-out rows, unless that was done; a training that was stopped goes on."""
    link_folder(manifest.root, work / "pictures")
    rows = [
        replace(row, path=f"pictures/{row.path}", split="val" if out else "train")
        for row, out in zip(manifest.rows, held.tolist(), strict=True)
    ]
    with tempfile.TemporaryDirectory() as aside:  # what an earlier run was trained on must not be replaced
        sha256 = atomic.sha256_file(write_manifest(rows, Path(aside) / "manifest.csv"))
    asked = _fold_config(config, work, seed)
    state = fold_state(work / "run", asked, sha256)
    if state == "done":
        return
    write_manifest(rows, work / "manifest.csv")
    path = atomic.write_text(work / "config.yaml", to_yaml(asked))
    train_apart(path, ["resume=true"] if state == "begun" else [])


def _fold_config(config: TrainConfig, work: Path, seed: int) -> TrainConfig:
    """A config whose validation part is the held-out fold, looked at once, after the last epoch."""
    phases = tuple(one.model_copy(update={"validate_every": 0}) for one in config.phases)
    changes = {
        "data": str(work / "manifest.csv"), "output": str(work / "run"), "train_split": "train",
        "val_split": "val", "test_split": None, "folds": None, "fold": 0, "phases": phases, "seed": seed,
        "n_boot": 0, "scope": False, "tensorboard": False,
    }  # fmt: skip
    return config.model_copy(update=changes)


def judge(config: TrainConfig, args: argparse.Namespace, name: str) -> tuple[np.ndarray, dict[str, Any]]:
    """Out-of-fold logits and their figures; the logits are left in ``OUT/NAME.npz``."""
    manifest = read_manifest(config.data)
    targets = manifest.targets(task_spec(config, manifest).label_ids)
    groups = manifest.group_keys()
    folds = np.stack([group_folds(targets, groups, args.folds, seed) for seed in range(args.repeats)])
    if args.mode == "features":
        answers = by_features(config, manifest, targets, folds)
    else:
        answers = by_training(config, manifest, folds, args.out / name)
    paths = [row.path for row in manifest.rows]
    args.out.mkdir(parents=True, exist_ok=True)
    np.savez(args.out / f"{name}.npz", logits=answers, targets=targets, folds=folds, paths=paths)
    found = {"mode": args.mode, "folds": args.folds, "manifest_sha256": manifest.sha256}
    return answers, found | repeated_figures(answers, targets, groups) | {
        "groups_of": groups,
        "targets": targets,
    }


def main() -> None:
    """Read the arguments; print the figures and leave them in ``OUT/figures.json``."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("changes", nargs="*", help="KEY=VALUE, for both recipes")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mode", choices=("features", "train"), default="features")
    parser.add_argument("--compare", nargs="+", default=[], metavar="KEY=VALUE")
    args = parser.parse_args()
    try:
        both = parse_overrides(args.changes)
        answers, found = judge(load_config(args.config, both), args, "recipe")
        result: dict[str, Any] = {"recipe": found}
        if args.compare:
            changed = load_config(args.config, {**both, **parse_overrides(args.compare)})
            other, result["compared"] = judge(changed, args, "compared")
            result["compared"]["changes"] = args.compare
            result["change"] = paired_change(answers, other, found["targets"], found["groups_of"])
    except (VnvisionError, OSError) as exc:
        sys.exit(f"repeated_cv: {exc}")
    for part in ("recipe", "compared"):
        for key in ("groups_of", "targets"):
            result.get(part, {}).pop(key, None)
    atomic.write_json(args.out / "figures.json", result)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
