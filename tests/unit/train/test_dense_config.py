"""What segmentation and detection cannot do is refused before anything is read."""

import pytest

from vnvision.errors import ConfigError
from vnvision.train.config import load_config

LABELS = [{"id": "background"}, {"id": "lesion"}]
SEG = {"data": "m.csv", "task": "segmentation", "labels": LABELS}
DET = {"data": "m.csv", "task": "detection", "augment": "none"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**SEG, "mixup": 0.2}, "segmentation does not take mixup"),
        ({**SEG, "balance": "sampler"}, "segmentation does not take balance"),
        ({**SEG, "norm": "group"}, "does not take norm"),
        ({**SEG, "layer_decay": 0.8}, "does not take layer_decay"),
        ({**SEG, "phases": [{"train": "head", "cache_views": 2}]}, "does not take phases.0.cache_views"),
        ({**SEG, "monitor": "accuracy"}, "monitor: segmentation has dice, iou or nll"),
        ({**SEG, "labels": None}, "segmentation needs labels, the background first"),
        ({**DET, "augment": "light"}, "detection takes no rotate_deg"),
        ({**DET, "monitor": "dice"}, "monitor: detection has map50 or nll"),
        ({"data": "m.csv", "severity": {"diseased": ["a"], "whole": ["a"]}}, "severity belongs to task"),
        ({**SEG, "severity": {"diseased": ["a"], "whole": ["b"]}}, "diseased labels must be part of whole"),
    ],
)  # fmt: skip
def test_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        load_config(values)


def test_the_monitored_figure_follows_the_task():
    assert load_config(SEG).monitored == "dice"
    assert load_config({**SEG, "monitor": "iou"}).monitored == "iou"
    assert load_config(DET).monitored == "map50"
    assert load_config({"data": "m.csv"}).monitored == "accuracy"
