"""Face training on drawn people, the whole way: run, protocols, resume, LoRA, teacher, bundle, refusals."""

import csv
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from vnvision import api
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.faces import FaceReport
from vnvision.faces.bundle import BundleEmbedder
from vnvision.records import EvalReport
from vnvision.train.config import load_config
from vnvision.train.faces import build_criterion
from vnvision.train.predictor import load_run

BATCH = 14


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """Fourteen people of smooth random colours, six noisy pictures each; splits share nobody."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    rows = [("path", "identity", "split", "group")]
    for person in range(14):
        base = rng.integers(0, 255, (5, 5, 3), dtype=np.uint8)
        base = cv2.resize(base, (112, 112), interpolation=cv2.INTER_CUBIC)
        for number in range(6):
            name = f"p{person:02d}_{number}.png"
            noisy = np.clip(base + rng.normal(0, 20, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / name), noisy)
            split = "train" if person < 7 else "val" if person < 10 else "test"
            rows.append((name, f"p{person:02d}", split, "north" if person % 2 else "south"))
    with open(root / "manifest.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return root / "manifest.csv"


@pytest.fixture(scope="module")
def config(people):
    return {
        "name": "drawn",
        "domain": "face",
        "task": "embedding",
        "data": str(people),
        "backbone": "timm:test_efficientnet",
        "weights": "none",
        "size_px": 112,
        "augment": "none",
        "batch_size": BATCH,
        "epochs": 2,
        "lr": 2e-3,
        "compile": False,
        "channels_last": True,
        "workers": 0,
        "threads": 1,
        "tensorboard": False,
        "n_boot": 20,
        "embedding": {
            "size": 32,
            "head": "arcface",
            "head_options": {"margin_rad": 0.2, "scale": 16},
            "group": "group",
            "protocols": [
                {"name": "south", "data": str(people), "split": "val", "where": ["group=south"], "fmr": 0.01}
            ],
            "best_by": "south",
        },
    }


def changed(config, **values):
    """The configuration with other values; those of ``embedding`` are given as embedding__NAME."""
    inner = {key.removeprefix("embedding__"): v for key, v in values.items() if key.startswith("embedding__")}
    outer = {key: v for key, v in values.items() if not key.startswith("embedding__")}
    return {**config, **outer, "embedding": {**config["embedding"], **inner}}


@pytest.fixture(scope="module")
def run(config, tmp_path_factory):
    return api.train(config, output=tmp_path_factory.mktemp("runs") / "run", quiet=True)


def test_report_and_thresholds(run, people):
    report = EvalReport.load(run / "report.json")
    assert (report.split, report.n, report.n_groups) == ("test", 24, 4)
    assert 0 <= report.metrics["tar"].value <= 1
    assert report.metrics["tar"].low <= report.metrics["tar"].value <= report.metrics["tar"].high
    assert all("validation split" in point.population for point in report.operating_points)
    faces = FaceReport.load(run / "faces.json")
    assert {row.group for row in faces.differential.groups} == {"north", "south"}
    assert "<html" in (run / "report.html").read_text().lower()


def test_protocols_have_columns_and_choose_the_best(run):
    with open(run / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["val_tar"] for row in rows] == [row["val_south_tar"] for row in rows]
    assert {"val_south_eer", "val_eer"} <= set(rows[0])


def test_the_bundle_embeds_as_the_run(run, people, tmp_path):
    bundle = api.export(run, out=tmp_path / "bundle")
    rng = np.random.default_rng(1)
    crops = rng.integers(0, 255, (5, 112, 112, 3), dtype=np.uint8)
    embedder = BundleEmbedder(bundle, engine="onnxruntime")
    ours = embedder.embed(crops)
    predictor = load_run(run)
    with torch.inference_mode():
        batch = np.stack([predictor.preprocessor.normalise(crop) for crop in crops])
        theirs = predictor.forward(torch.from_numpy(batch))
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert embedder.size == 32


def test_a_run_stopped_after_an_epoch_ends_as_the_whole_one(run, config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    newest = sorted((folder / "checkpoints").glob("step_*"))[-1]
    shutil.rmtree(newest)
    (folder / "report.json").unlink()
    api.train(config, output=folder, resume=True, quiet=True)
    for name in ("model.safetensors", "centres"):
        parts = [root / "checkpoints" / newest.name / name for root in (run, folder)]
        files = [sorted(part.glob("*")) if part.is_dir() else [part] for part in parts]
        assert len(files[0]) == len(files[1])
        for one, other in zip(*files, strict=True):
            left, right = load_file(one), load_file(other)
            assert left.keys() == right.keys()
            assert all(torch.equal(left[key], right[key]) for key in left), name


@pytest.mark.parametrize(
    "changes",
    [
        {"embedding__head": "uniface", "embedding__head_options": {}, "embedding__sample_rate": 0.5},
        {"embedding__head": "subcenter_arcface", "embedding__head_options": {"sub_centres": 2}, "ema": 0.9},
        {"embedding__images_per_identity": 2, "optimiser": "sgd", "lr": 0.01, "checkpointing": False},
    ],
    ids=["sampled-uniface", "sub-centres-ema", "identity-batches-sgd"],
)
def test_other_heads_and_batches(changes, config, tmp_path):
    folder = api.train(changed(config, epochs=1, **changes), output=tmp_path / "run", quiet=True)
    assert (folder / "report.json").is_file()


def test_lora_changes_only_what_it_stands_beside(run, config, tmp_path):
    start = run / "best" / "model.safetensors"
    options = {"weights": str(start), "epochs": 1, "embedding__lora": {"rank": 2, "targets": ["conv_head"]}}
    folder = api.train(changed(config, **options), output=tmp_path / "run", quiet=True)
    before, after = load_file(start), load_file(folder / "best" / "model.safetensors")
    assert before.keys() == after.keys()
    moved = {key for key in before if not torch.equal(before[key], after[key])}
    assert {key for key in moved if "running" not in key and "num_batches" not in key} == {"conv_head.weight"}


@pytest.mark.parametrize("teacher", ["start", "run", "bundle"])
def test_a_teacher_alone_keeps_the_student_near(teacher, run, config, tmp_path):
    where = {"start": "start", "run": str(run)}.get(teacher)
    if where is None:
        where = str(api.export(run, out=tmp_path / "bundle"))
    start = str(run / "best" / "model.safetensors")
    options = {
        "epochs": 4,
        "embedding__margin_weight": 0,
        "embedding__head_options": {},
        "embedding__distill": {"teacher": where, "loss": "cosine"},
        "weights": start,
    }
    folder = api.train(changed(config, **options), output=tmp_path / "run", quiet=True)
    with open(folder / "log.csv", newline="") as stream:
        losses = [float(row["train_loss"]) for row in csv.DictReader(stream)]
    assert losses[-1] < 0.7 * losses[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding__head": "arcfaec"}, "arcfaec"),
        ({"embedding__head_options": {"margin": 1}}, "margin"),
        ({"mixup": 0.2}, "embedding does not take mixup"),
        ({"embedding__best_by": "nord"}, "no protocol 'nord'"),
        ({"embedding__images_per_identity": 4}, "must be a multiple of images_per_identity=4"),
        ({"embedding__lora": {"rank": 2}}, "weights is none"),
        ({"embedding__identity": "who"}, "no row names a person"),
        ({"embedding__distill": {"teacher": "start"}}, "weights is none"),
    ],
)
def test_what_cannot_be_is_said_before_training(changes, message, config, tmp_path):
    with pytest.raises((ConfigError, DataError), match=message):
        api.train(changed(config, **changes), output=tmp_path / "run", quiet=True)


def test_a_person_in_two_splits_is_refused(people, config, tmp_path):
    rows = people.read_text().splitlines()
    moved = people.with_name("crossing.csv")
    moved.write_text("\n".join([*rows[:-1], rows[-1].replace(",test,", ",train,")]) + "\n")
    with pytest.raises(DataError, match="stand in several splits, the first is 'p13'"):
        api.train(changed(config, data=str(moved)), output=tmp_path / "run", quiet=True)


def test_the_configuration_goes_both_ways(config):
    resolved = load_config(config)
    again = load_config(yaml.safe_load(yaml.safe_dump(resolved.model_dump(mode="json"))))
    assert again == resolved


def test_a_run_older_than_some_keys_goes_on(run, config, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    state = json.loads((folder / "run.json").read_text())
    for key in ("cuda_graphs", "resident", "low_resolution_scale"):
        del state["config"][key]
    del state["config"]["embedding"]["qat"]
    (folder / "run.json").write_text(json.dumps(state))
    assert api.train(config, output=folder, resume=True, quiet=True) == folder
    with pytest.raises(
        ConfigError, match=r"cannot resume .* with another configuration: got epochs=3 \(was 2\)"
    ):
        api.train(config, output=folder, resume=True, quiet=True, epochs=3)


def test_unifaces_bias_starts_from_the_classes_that_a_step_compares(config):
    embedding = load_config(
        changed(config, embedding__head="uniface", embedding__head_options={}, embedding__sample_rate=0.5)
    ).embedding
    assert build_criterion(embedding, 10, 0).head.sampled_share == 0.5


def test_the_report_names_the_embedder(run):
    assert FaceReport.load(run / "faces.json").model.startswith("drawn-")
