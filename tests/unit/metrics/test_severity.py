"""Severity errors against formulas written out."""

from __future__ import annotations

import numpy as np
import pytest

from vnvision.errors import DataError
from vnvision.metrics import dense_notes
from vnvision.metrics.severity import HEADLINE, severity_metrics, severity_of
from vnvision.spec import SeveritySpec

SPEC = SeveritySpec(diseased=("lesion",), whole=("leaf", "lesion"))
IDS = ("background", "leaf", "lesion")


def test_share_of_a_mask():
    mask = np.array([[0, 1, 1], [2, 1, 0]], np.uint8)
    assert severity_of(mask, IDS, SPEC) == pytest.approx(1 / 4)
    assert severity_of(np.zeros((3, 3), np.uint8), IDS, SPEC) is None


def test_errors_bias_and_limits_in_percentage_points():
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 0.6, 50)
    answer = np.clip(truth + rng.normal(0.02, 0.04, 50), 0, 1)
    found = severity_metrics(truth, answer, [f"g{i // 2}" for i in range(50)], n_boot=500)
    off = 100 * (answer - truth)
    assert set(found) == set(HEADLINE)
    assert found["severity_mae"].value == pytest.approx(np.abs(off).mean())
    assert found["severity_bias"].value == pytest.approx(off.mean())
    assert found["severity_loa_low"].value == pytest.approx(off.mean() - 1.96 * off.std(ddof=1))
    assert found["severity_loa_high"].value == pytest.approx(off.mean() + 1.96 * off.std(ddof=1))
    for name in HEADLINE[:4]:
        assert found[name].low < found[name].value < found[name].high
    assert found["severity_undefined"].value == 0.0
    assert found["severity_undefined"].high > 0


def test_interval_of_the_error_covers_as_a_plain_bootstrap_does():
    rng = np.random.default_rng(3)
    truth, answer = rng.uniform(0.2, 0.8, 80), rng.uniform(0.2, 0.8, 80)
    found = severity_metrics(truth, answer, list(range(80)), n_boot=4000)["severity_mae"]
    off = 100 * np.abs(answer - truth)
    draws = [off[rng.integers(0, 80, 80)].mean() for _ in range(4000)]
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.1 * (high - low))


def test_answers_without_a_whole_are_left_out_and_counted():
    found = severity_metrics([0.1, 0.2, 0.3, None], [0.1, None, 0.5, 0.9], list("abcd"), n_boot=50)
    assert found["severity_mae"].value == pytest.approx(10.0)
    assert found["severity_mae"].n == 2
    assert "left out: 1 of 3 images on which nothing to take a share of" in found["severity_mae"].note
    assert found["severity_undefined"].value == pytest.approx(1 / 3)
    assert found["severity_undefined"].n == 3


def test_too_few():
    one = severity_metrics([0.1], [0.2], ["a"])
    assert one["severity_mae"].value == pytest.approx(10.0)
    assert one["severity_loa_low"].value is None
    assert one["severity_loa_low"].note == dense_notes.TOO_FEW
    none = severity_metrics([0.1], [None], ["a"])
    assert none["severity_mae"].value is None
    assert none["severity_mae"].note == dense_notes.NO_SHARE


def test_wrong_input():
    with pytest.raises(DataError, match=r"truth, answer and groups differ in length.* got 2, 1, 2"):
        severity_metrics([0.1, 0.2], [0.1], ["a", "b"])
    with pytest.raises(DataError, match="a share: expected 0 to 1, got 12 to 12"):
        severity_metrics([0.1], [12.0], ["a"])
