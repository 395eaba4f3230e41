"""Which network's features serve best to teach a new classifier from few photographs.

Every 8-bit network that ships, and float EfficientNet-Lite0 as ImageNet left it, describe the *training* rows
of every set; a logistic regression on 30 pictures a class, groups kept whole, is asked about the folds left
out. A network that saw a set does not count there; the router saw all of them. Test rows are never read.

    python training/benchmarks/teach_trunks.py $VNVISION_DATA --cache DIR
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections import defaultdict
from pathlib import Path

import numpy as np

SETS = {
    "agri/ibean": "bean", "agri/mango_bd": "mango", "agri/coffee_bracol": "coffee", "agri/chilli": "chilli",
    "agri/uci_rice": "rice", "med/malaria": "malaria", "med/chula_rbc12": "red_cell",
    "med/cxr_nih": "chest_xray", "med/busi": "breast", "med/hip_us": None,
}  # fmt: skip
TRUNKS = (
    "bean",
    "breast",
    "chest_xray",
    "chilli",
    "coffee",
    "malaria",
    "mango",
    "red_cell",
    "rice",
    "router",
)
IMAGENET = "imagenet"
MIRRORED = ("rice", IMAGENET)
"""Learnt from with mirror images too."""
STRENGTHS = (0.001, 0.01, 0.1, 1.0)


def rows_of(data: Path, name: str, a_class: int) -> list[dict[str, str]]:
    """At most ``a_class`` training rows of each class, drawn by a fixed seed."""
    with (data / name / "manifest.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == "train"]
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    by_class: dict[str, list[dict[str, str]]] = defaultdict(list)
    for i in rng.permutation(len(rows)):
        if len(by_class[rows[i]["label"]]) < a_class:
            by_class[rows[i]["label"]].append(rows[i])
    return [row for _, chosen in sorted(by_class.items()) for row in chosen]


def extractors():
    """Name -> images to features, and to features of their mirror images."""
    import vnvision as vv

    for name in TRUNKS:
        yield name, vv.load_bundle(name, engine="onnxruntime", threads=1).features
    import timm
    import torch

    from vnvision.imaging import Preprocessor
    from vnvision.models.weights import OFFLINE, load_in_order, offline_file
    from vnvision.spec import PreprocessSpec

    torch.set_num_threads(1)
    key = "tf_efficientnet_lite0"
    net = timm.create_model(key)
    load_in_order(net, offline_file(key))
    net.reset_classifier(0)
    net.eval()
    spec = PreprocessSpec(size_px=(224, 224), mean=OFFLINE[key].mean, std=OFFLINE[key].std)
    before = Preprocessor(spec)

    @torch.inference_mode()
    def imagenet(images):
        batch = np.stack([before(image) for image in images])
        parts = [net(torch.from_numpy(batch[i : i + 16])).numpy() for i in range(0, len(batch), 16)]
        return np.concatenate(parts)

    yield IMAGENET, imagenet


def describe(data: Path, cache: Path, a_class: int) -> None:
    """Features of every set by every network, kept in ``cache``."""
    from vnvision.imaging import read

    for trunk, features in extractors():
        for name in SETS:
            file = cache / f"{name.replace('/', '-')}.{trunk}.{a_class}.npz"
            if file.is_file():
                continue
            rows = rows_of(data, name, a_class)
            images = [read(data / name / row["path"]).image for row in rows]
            found = features(images)
            mirrored = features([np.ascontiguousarray(image[:, ::-1]) for image in images])
            np.savez(
                file, features=found, mirrored=mirrored, labels=np.array([row["label"] for row in rows]),
                groups=np.array([row["group"] for row in rows]),
            )  # fmt: skip
        print(f"described by {trunk}", flush=True)


def right(features, mirrored, labels, groups, repeats: int = 3) -> np.ndarray:
    """(N,) how often each picture was answered rightly while its group was left out."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.model_selection import StratifiedGroupKFold

    def fit(rows, strength):
        x, y = features[rows], labels[rows]
        if mirrored is not None:
            x, y = np.concatenate([x, mirrored[rows]]), np.concatenate([y, y])
        centre, spread = x.mean(0), x.std(0) + 1e-6
        model = LogisticRegression(C=strength, class_weight="balanced", max_iter=500)
        model.fit((x - centre) / spread, y)
        return lambda some: model.predict((features[some] - centre) / spread)

    hits = np.zeros(len(labels))
    for turn in range(repeats):
        for train, held in StratifiedGroupKFold(4, shuffle=True, random_state=turn).split(
            features, labels, groups
        ):
            inner = StratifiedGroupKFold(3, shuffle=True, random_state=turn).split(
                features[train], labels[train], groups[train]
            )
            scores = dict.fromkeys(STRENGTHS, 0.0)
            for a, b in inner:
                if len(set(labels[train[a]])) < len(set(labels)):
                    continue
                for strength in STRENGTHS:
                    said = fit(train[a], strength)(train[b])
                    scores[strength] += balanced_accuracy_score(labels[train[b]], said)
            best = max(STRENGTHS, key=lambda strength: scores[strength])
            hits[held] += fit(train, best)(held) == labels[held]
    return hits / repeats


def main() -> None:
    """Describe, learn, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--a-class", type=int, default=30)
    asked = parser.parse_args()
    asked.cache.mkdir(parents=True, exist_ok=True)
    describe(asked.data, asked.cache, asked.a_class)
    import warnings

    warnings.filterwarnings("ignore")
    table: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
    groups: dict[str, np.ndarray] = {}
    for name in SETS:
        for trunk in (*TRUNKS, IMAGENET):
            file = asked.cache / f"{name.replace('/', '-')}.{trunk}.{asked.a_class}.npz"
            with np.load(file) as kept:
                groups[name] = kept["groups"]
                table[name][trunk] = right(kept["features"], None, kept["labels"], kept["groups"])
                if trunk in MIRRORED:
                    table[name][f"{trunk}+flip"] = right(
                        kept["features"], kept["mirrored"], kept["labels"], kept["groups"]
                    )
        print(
            name,
            len(groups[name]),
            {t: round(float(h.mean()), 3) for t, h in table[name].items()},
            flush=True,
        )
    rng = np.random.default_rng(0)
    print(
        "\nImageNet less trunk, mean over sets that the trunk did not see [95 %, sets and groups resampled]"
    )
    for trunk in (*TRUNKS, *(f"{one}+flip" for one in MIRRORED)):
        names = [name for name, own in SETS.items() if own != trunk.removesuffix("+flip")]
        draws = []
        for turn in range(1001):
            total = []
            for name in names if not turn else rng.choice(names, len(names)):
                difference = table[name][IMAGENET] - table[name][trunk]
                keys, codes = np.unique(groups[name], return_inverse=True)
                weights = (
                    np.ones(len(keys))
                    if not turn
                    else rng.multinomial(len(keys), np.ones(len(keys)) / len(keys))
                )
                total.append(np.average(difference, weights=weights[codes]) if weights[codes].sum() else 0.0)
            draws.append(np.mean(total))
        low, high = np.quantile(draws[1:], (0.025, 0.975))
        mean = np.mean([table[name][trunk].mean() for name in names])
        print(f"{trunk:<14} {len(names)} sets, mean {mean:.3f}, {draws[0]:+.3f} [{low:+.3f}, {high:+.3f}]")


if __name__ == "__main__":
    main()
