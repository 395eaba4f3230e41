"""Do the 95 % intervals hold the truth? Synthetic embeddings, true rates known from a huge population."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.evaluate.faces import evaluate_faces
from vnvision.faces.embedded import EmbeddedFaces

DIMENSIONS, IMAGES, THRESHOLD = 32, 3, 0.5
# Group -> (how much its people look alike, how much images of one person differ, persons).
GROUPS = {"a": (0.30, 0.85, 70), "b": (0.55, 0.95, 60), "c": (0.45, 0.85, 60)}
CENTRES = {name: np.eye(DIMENSIONS)[i] for i, name in enumerate(GROUPS)}


def people(rng, group, n):
    """(n, D) person vectors of one group."""
    return CENTRES[group] * GROUPS[group][0] + rng.normal(size=(n, DIMENSIONS)) / np.sqrt(DIMENSIONS)


def images(rng, group, persons):
    """One image of each given person, unit-norm."""
    noise = rng.normal(size=persons.shape) * GROUPS[group][1] / np.sqrt(DIMENSIONS)
    raw = persons + noise
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


def true_rates(n=1_500_000, part=100_000):
    """FMR of each two groups and FNMR of each, from pairs that share nobody with any other pair."""
    rng = np.random.default_rng(999)
    counted = {}
    for _ in range(n // part):
        for g in GROUPS:
            one = people(rng, g, part)
            again = np.einsum("nd,nd->n", images(rng, g, one), images(rng, g, one))
            counted.setdefault(g, []).append((again < THRESHOLD).mean())
            for h in GROUPS:
                if g <= h:
                    other = images(rng, h, people(rng, h, part))
                    score = np.einsum("nd,nd->n", images(rng, g, one), other)
                    counted.setdefault((g, h), []).append((score >= THRESHOLD).mean())
    return {key: float(np.mean(values)) for key, values in counted.items()}


def study(seed):
    """One data set of the generator."""
    rng = np.random.default_rng(seed)
    rows, identity, group = [], [], []
    for name, (_, _, n) in GROUPS.items():
        persons = people(rng, name, n)
        for k in range(n):
            rows.append(images(rng, name, np.repeat(persons[k : k + 1], IMAGES, axis=0)))
            identity += [f"{name}{k}"] * IMAGES
            group += [name] * IMAGES
    embeddings = np.concatenate(rows).astype(np.float32)
    n = len(embeddings)
    columns = {"identity": tuple(identity), "group": tuple(group)}
    return EmbeddedFaces(embeddings, tuple(map(str, range(n))), ("",) * n, columns, "net")


def intervals_of(report, truth):
    """Name -> (interval, true value)."""
    out = {}
    for row in report.groups:
        out[f"fmr {row.group}"] = row.fmr, truth[row.group, row.group]
        out[f"fnmr {row.group}"] = row.fnmr, truth[row.group]
        if row.fmr_ratio is not None:
            out[f"fmr ratio {row.group}"] = row.fmr_ratio, truth[row.group, row.group] / truth["a", "a"]
            out[f"fnmr ratio {row.group}"] = row.fnmr_ratio, truth[row.group] / truth["a"]
    for one in report.cross:
        out[f"cross {one.first}{one.second}"] = one.fmr, truth[one.first, one.second]
    return out


@pytest.mark.slow
def test_intervals_hold_the_planted_truth_in_90_to_99_of_100_studies():
    truth = true_rates()
    assert 2 < truth["b", "b"] / truth["a", "a"] < 50, "the groups differ"
    held = {}
    for seed in range(200):
        report = evaluate_faces(study(seed), "all-pairs", group="group", reference="a", threshold=THRESHOLD)
        for name, (metric, value) in intervals_of(report.differential, truth).items():
            if metric.low is not None:
                held.setdefault(name, []).append(metric.low <= value <= metric.high)
    shares = {name: float(np.mean(values)) for name, values in held.items()}
    print(truth, shares)
    assert len(shares) == 13
    assert all(len(values) >= 190 for values in held.values())
    assert all(0.90 <= share <= 0.995 for share in shares.values()), shares
    assert 0.93 <= np.mean(list(shares.values())) <= 0.98


def true_tar(group, fmr, n=1_500_000):
    """TAR at the threshold where ``fmr`` of the group's impostor comparisons match."""
    rng = np.random.default_rng(998)
    one, other = people(rng, group, n), people(rng, group, n)
    first = images(rng, group, one)
    impostor = np.einsum("nd,nd->n", first, images(rng, group, other))
    genuine = np.einsum("nd,nd->n", first, images(rng, group, one))
    return float((genuine >= np.quantile(impostor, 1 - fmr)).mean())


@pytest.mark.slow
def test_intervals_of_tar_at_fmr_hold_the_truth_though_the_threshold_is_found_on_the_same_data():
    truth, held = true_tar("c", 1e-2), []
    for seed in range(200):
        faces = study(seed)
        rows = [i for i, name in enumerate(faces.column("group")) if name == "c"]
        some = EmbeddedFaces(
            faces.embeddings[rows],
            tuple(faces.paths[i] for i in rows),
            ("",) * len(rows),
            {"identity": tuple(faces.column("identity")[i] for i in rows)},
        )
        found = evaluate_faces(some, "all-pairs", n_boot=300).tar_at_fmr[0]
        assert found.at.target == 1e-2
        held.append(found.tar.low <= truth <= found.tar.high)
    print(truth, np.mean(held))
    assert 0.90 <= np.mean(held) <= 0.99
