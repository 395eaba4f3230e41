"""Several labels, each yes, no or unknown: trained, measured, exported, predicted."""

import csv

import pytest

from vnvision import api
from vnvision.errors import ConfigError


@pytest.fixture(scope="module")
def manifest(leaves):
    path = leaves.with_name("multi.csv")
    with leaves.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    with path.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["path", "split", "group_id", "source", "label:sick", "label:rust"])
        for number, row in enumerate(rows):
            sick = "" if number % 5 == 0 else int(row["label"] != "healthy")
            rust = "" if number % 3 == 0 else int(row["label"] == "rust")
            table.writerow([row["path"], row["split"], row["group_id"], row["source"], sick, rust])
    return path


def test_the_whole_way(manifest, config_file, leaves, tmp_path):
    options = {"task": "multilabel", "mixup": 0.2, "balance": "sampler", "epochs": 1}
    run = api.train(config_file, data=manifest, output=tmp_path / "run", quiet=True, **options)
    report = api.evaluate(run)
    assert report.task.label_ids == ("sick", "rust") or report.task.label_ids == ("rust", "sick")
    assert report.metrics["auroc"].value is not None
    from vnvision.runtime import load_bundle

    answer = load_bundle(api.export(run)).predict(next((leaves.parent / "images").rglob("*.*")))
    assert answer.kind == "multilabel"
    assert all(0 <= share <= 1 for share in answer.probabilities)


def test_the_wrong_task_is_said_before_training(manifest, config_file, tmp_path):
    with pytest.raises(ConfigError, match="is a multilabel manifest: expected task: multilabel"):
        api.train(config_file, data=manifest, output=tmp_path / "run", quiet=True)
