"""Group-bootstrap intervals: ours in one pass against a loop over scikit-learn, in turn, in one run.

    python training/benchmarks/bootstrap_speed.py --images 2000 --classes 5 --resamples 1000

Both draw the same number of resamples; scikit-learn is given fewer metrics (it has no calibration error
and no sensitivity at specificity), so the ratio flatters it. One thread. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from vnvision.metrics.classification import classification_metrics


def fake_predictions(
    n: int, classes: int, n_groups: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes)) + 1.5 * (targets[:, None] == np.arange(classes))
    p = np.exp(logits)
    return p / p.sum(axis=1, keepdims=True), targets, rng.integers(0, n_groups, n)


def sklearn_loop(
    p: np.ndarray, y: np.ndarray, groups: np.ndarray, resamples: int, seed: int
) -> dict[str, list[float]]:
    from sklearn import metrics as sk

    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
    classes = np.arange(p.shape[1])
    out: dict[str, list[float]] = {}
    for _ in range(resamples):
        rows = np.concatenate([members[g] for g in rng.integers(0, len(members), len(members))])
        q, t = p[rows], y[rows]
        answer, hot = q.argmax(axis=1), t[:, None] == classes
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            t, answer, labels=classes, zero_division=0
        )
        values = {
            "accuracy": sk.accuracy_score(t, answer),
            "balanced_accuracy": recall.mean(),
            "macro_f1": f1.mean(),
            "auroc": np.mean([sk.roc_auc_score(hot[:, c], q[:, c]) for c in classes]),
            "auprc": np.mean([sk.average_precision_score(hot[:, c], q[:, c]) for c in classes]),
            "nll": sk.log_loss(t, q, labels=classes),
            "precision_0": precision[0],
        }
        for name, value in values.items():
            out.setdefault(name, []).append(float(value))
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--classes", type=int, default=5)
    parser.add_argument("--groups", type=int, default=500)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    p, y, groups = fake_predictions(args.images, args.classes, args.groups, args.seed)
    labels = [str(c) for c in range(args.classes)]
    classification_metrics(p, y, groups.tolist(), labels, n_boot=2)  # warm-up: imports
    sklearn_loop(p, y, groups, 1, args.seed)
    begin = time.perf_counter()
    ours = classification_metrics(p, y, groups.tolist(), labels, n_boot=args.resamples, seed=args.seed)
    middle = time.perf_counter()
    theirs = sklearn_loop(p, y, groups, args.resamples, args.seed)
    end = time.perf_counter()
    intervals = {
        name: {
            "ours": [ours.metrics[name].low, ours.metrics[name].high],
            "sklearn_loop": np.quantile(theirs[name], [0.025, 0.975]).tolist(),
        }
        for name in ("accuracy", "macro_f1", "auroc", "auprc", "nll")
    }
    print(
        json.dumps(
            vars(args)
            | {
                "ours_s": round(middle - begin, 3),
                "sklearn_loop_s": round(end - middle, 3),
                "ratio": round((end - middle) / (middle - begin), 1),
                "intervals": intervals,
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
