"""What the face benchmarks compute from embeddings and times, against sums written out."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vnvision.records import Metric

FOLDER = Path(__file__).parents[2] / "training" / "benchmarks"


def load(name):
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("distance", [False, True])
def test_all_pairs_scores_every_pair_of_enrolled_pictures(distance):
    stack = load("face_recognition_stack")
    rows = np.random.default_rng(0).normal(size=(5, 3))
    rows[2] = np.nan
    pairs = stack.all_pairs(rows, ["a", "a", "a", "b", "b"], distance)

    def score(i, j):
        return -np.linalg.norm(rows[i] - rows[j]) if distance else rows[i] @ rows[j]

    assert sorted(pairs.genuine) == pytest.approx(sorted([score(0, 1), score(3, 4)]))
    others = [score(i, j) for i in (0, 1) for j in (3, 4)]
    assert sorted(pairs.impostor) == pytest.approx(sorted(others))


def test_an_anchor_agrees_inside_the_interval():
    stack = load("face_recognition_stack")
    metric = Metric(value=0.5, low=0.4, high=0.6, n=10, level=0.95)
    assert stack.agrees(metric, 0.41)
    assert not stack.agrees(metric, 0.39)
    assert stack.agrees(metric, None) is None


def test_ratios_are_taken_within_a_round_to_the_better_one():
    pipeline = load("face_pipeline")

    def runs(*seconds):
        return [{"pictures": 10, "seconds": s, "steps_s": {"embed": s / 2}} for s in seconds]

    result = pipeline.summary(
        {
            "ours_openvino": runs(1.0, 2.0),
            "plain_onnxruntime": runs(4.0, 4.0),
            "face_recognition_1": runs(2.0, 10.0),
            "plain_openvino": runs(3.0, 3.0),
        }
    )
    ratios = result["ratios"]
    assert ratios["ours_openvino / the_better_one"] == {"median": 2.0, "range": [2.0, 2.0]}
    assert ratios["ours_openvino / plain_openvino"] == {"median": 2.25, "range": [1.5, 3.0]}
    assert result["ways"]["ours_openvino"]["images_per_s"] == 7.5
    assert result["ways"]["plain_onnxruntime"]["steps_ms"] == {"embed": 200.0}


def test_equality_compares_the_largest_faces(tmp_path):
    pipeline = load("face_pipeline")
    one = {"faces": np.array([1, 2, 0]), "boxes": np.array([[0, 0, 4, 4], [0, 0, 2, 2], [np.nan] * 4])}
    one["embeddings"] = np.array([[1.0, 0.0], [0.0, 1.0], [np.nan, np.nan]])
    other = {name: value.copy() for name, value in one.items()}
    other["faces"][1], other["boxes"][0, 3], other["embeddings"][0] = 1, 4.5, (0.6, 0.8)
    np.savez(tmp_path / "a.npz", **one)
    np.savez(tmp_path / "b.npz", **other)
    assert pipeline.equality(tmp_path / "a.npz", tmp_path / "b.npz") == {
        "pictures_with_other_face_count": 1,
        "largest_box_difference_px": 0.5,
        "lowest_cosine": 0.6,
        "pictures_below_0.9999": 1,
    }


def test_random_vectors_have_unit_length():
    rows = load("face_search").units(np.random.default_rng(0), 120)
    assert rows.shape == (120, 512)
    assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-6)
