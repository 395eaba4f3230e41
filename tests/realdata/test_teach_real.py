"""Three classes of bean leaves, 25 photographs each, taught as a farm would."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from pathlib import Path

import pytest

import vnvision as vv
from vnvision.teach import teach

ROOT = os.environ.get("VNVISION_DATA")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]


def test_bean_leaves_from_25_photographs_a_class(tmp_path):
    folder = Path(ROOT or ".") / "agri" / "ibean"
    classes: dict[str, list[Path]] = defaultdict(list)
    with (folder / "manifest.csv").open(encoding="utf-8") as stream:
        for row in csv.DictReader(stream):
            if row["split"] == "train" and len(classes[row["label"]]) < 25:
                classes[row["label"]].append(folder / row["path"])
    taught = teach(classes, tmp_path / "beans", name="beans")
    assert taught.n == 75
    assert taught.balanced_accuracy.low > 1 / 3
    assert taught.accuracy.value > 0.6
    assert taught.verdict.code != "not_better"
    model = vv.load_bundle(taught.folder)
    answers = list(model.predict_many([path for files in classes.values() for path in files]))
    assert sum(answer.abstained for answer in answers) <= 12
