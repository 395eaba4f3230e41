"""Face training from packed pictures, the whole way: the run that files give, resume, and other data."""

import csv
import hashlib
import json
import shutil

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vnvision import api
from vnvision.data.records.bin_writer import write_bin
from vnvision.data.records.face_rec import write_face_rec
from vnvision.data.records.packing import pack_shards
from vnvision.errors import ConfigError, DataError
from vnvision.records import EvalReport
from vnvision.train.config import load_config
from vnvision.train.scale_plan import plan


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Twelve people of a smooth colour, four noisy pictures each: manifest, shards, ``.rec`` and ``.bin``."""
    root = tmp_path_factory.mktemp("people")
    rng = np.random.default_rng(0)
    rows, people = [("path", "identity", "split", "group")], []
    for person in range(12):
        base = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), (112, 112))
        people.append([])
        for number in range(4):
            name = f"p{person}_{number}.png"
            noisy = np.clip(base + rng.normal(0, 15, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(root / name), noisy)
            people[-1].append((root / name).read_bytes())
            split = "train" if person < 5 else "val" if person < 8 else "test"
            rows.append((name, f"p{person}", split, "north" if person % 2 else "south"))
    with open(root / "faces.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    pack_shards(root / "faces.csv", root / "shards")
    write_face_rec(root / "train.rec", people[:5])
    pairs = [(a, b) for a in people[5:8] for b in people[5:8]]
    write_bin([p for a, b in pairs for p in (a[0], b[1])], [a is b for a, b in pairs], root / "pairs.bin")
    return root


def config(data, **more):
    embedding = {"size": 16, "head_options": {"margin_rad": 0.2, "scale": 16}, "group": "group"}
    return {
        "name": "packed", "domain": "face", "task": "embedding", "data": str(data),
        "backbone": "timm:test_efficientnet", "weights": "none", "size_px": 112, "augment": "light",
        "batch_size": 10, "epochs": 2, "lr": 2e-3, "compile": False, "channels_last": True, "workers": 0,
        "threads": 1, "tensorboard": False, "n_boot": 5, "accelerator": "cpu", "embedding": embedding,
    } | more  # fmt: skip


def judged_by(root, **protocol):
    embedding = {"size": 16, "head_options": {"margin_rad": 0.2, "scale": 16}}
    return {"embedding": embedding | {"protocols": [{"name": "others", **protocol}], "best_by": "others"}}


@pytest.fixture(scope="module")
def from_files(root, tmp_path_factory):
    return api.train(config(root / "faces.csv"), output=tmp_path_factory.mktemp("files") / "run", quiet=True)


@pytest.fixture(scope="module")
def from_shards(root, tmp_path_factory):
    return api.train(config(root / "shards"), output=tmp_path_factory.mktemp("shards") / "run", quiet=True)


def steps(run):
    return sorted((run / "checkpoints").glob("step_*"))


def assert_same_weights(one, other):
    found = [sorted(p.relative_to(run) for p in run.rglob("*.safetensors")) for run in (one, other)]
    assert found[0] == found[1] != []
    for name in found[0]:
        left, right = load_file(one / name), load_file(other / name)
        assert left.keys() == right.keys()
        assert all(torch.equal(left[key], right[key]) for key in left), name


def test_shards_give_the_run_that_files_give(from_files, from_shards, root):
    assert_same_weights(from_files, from_shards)
    ours, theirs = (EvalReport.load(run / "report.json") for run in (from_shards, from_files))
    assert (ours.split, ours.n, ours.n_groups) == (theirs.split, theirs.n, theirs.n_groups) == ("test", 16, 4)
    assert ours.metrics == theirs.metrics
    faces = [json.loads((run / "faces.json").read_text()) for run in (from_shards, from_files)]
    assert faces[0]["differential"] == faces[1]["differential"]


def test_the_run_says_which_set_it_is_of(from_shards, root):
    facts = json.loads((from_shards / "run.json").read_text())["manifest"]
    index = root / "shards" / "faces.index.json"
    assert facts["path"] == str(index)
    assert facts["sha256"] == hashlib.sha256(index.read_bytes()).hexdigest()
    assert facts["sha256"] == EvalReport.load(from_shards / "report.json").manifest_sha256


def stopped(run, folder):
    """A run as a kill before its last checkpoint leaves it."""
    shutil.copytree(run, folder)
    shutil.rmtree(steps(folder)[-1])
    (folder / "report.json").unlink()
    return folder


def test_a_stopped_run_ends_as_the_whole_one(from_shards, root, tmp_path):
    folder = stopped(from_shards, tmp_path / "run")
    api.train(config(root / "shards"), output=folder, resume=True, quiet=True)
    assert_same_weights(from_shards, folder)


@pytest.mark.parametrize("kind", ["faces.csv", "shards"])
def test_a_run_goes_on_with_no_other_data(kind, root, from_files, from_shards, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(root, data)
    start = {"faces.csv": from_files, "shards": from_shards}[kind]
    folder = stopped(start, tmp_path / "run")
    state = json.loads((folder / "run.json").read_text())
    state["config"]["data"] = str(data / kind)
    (folder / "run.json").write_text(json.dumps(state))
    text = (data / "faces.csv").read_text().splitlines()
    (data / "faces.csv").write_text("\n".join([*text[:-1], ""]))  # one picture fewer
    shutil.rmtree(data / "shards")
    pack_shards(data / "faces.csv", data / "shards")
    with pytest.raises(ConfigError, match=r"cannot resume .* with other data: expected .* sha256 .* got"):
        api.train(config(data / kind), output=folder, resume=True, quiet=True)


@pytest.mark.parametrize("protocol", ["pairs.bin", "faces.csv"])
def test_a_rec_is_trained_on_and_judged_by_a_protocol(protocol, root, tmp_path):
    more = {"data": str(root / protocol)} | ({"split": "val"} if protocol == "faces.csv" else {})
    settings = config(root / "train.rec", **judged_by(root, **more))
    run = api.train(settings, output=tmp_path / "run", quiet=True)
    with open(run / "log.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["val_tar"] for row in rows] == [row["val_others_tar"] for row in rows]
    assert all(0 <= float(row["val_others_eer"]) <= 1 for row in rows)
    report = EvalReport.load(run / "report.json")
    assert (report.n, report.metrics["tar"].value) == (0, None)
    assert "nothing was measured" in report.warnings[0]
    bundle = api.export(run, out=tmp_path / "bundle", targets=("onnx",))
    assert (bundle / "manifest.json").is_file()


def test_a_damaged_picture_stops_the_run_with_its_record(root, tmp_path):
    data = bytearray((root / "train.rec").read_bytes())
    starts = dict(line.split() for line in (root / "train.idx").read_text().splitlines())
    at = int(starts["3"])
    data[at + 32 : at + 64] = bytes(32)
    (tmp_path / "t.rec").write_bytes(data)
    shutil.copy(root / "train.idx", tmp_path / "t.idx")
    settings = config(tmp_path / "t.rec", **judged_by(root, data=str(root / "pairs.bin")))
    with pytest.raises(DataError, match=r"t\.rec: record 3: image bytes is not an image"):
        api.train(settings, output=tmp_path / "run", quiet=True)


def test_the_plan_counts_a_packed_set(root):
    shards, rec, files = (plan(load_config(config(root / n))) for n in ("shards", "train.rec", "faces.csv"))
    assert all("5 people, 20 pictures" in text for text in (shards, rec, files))
    assert "index of the packed set takes" in shards
    assert "The manifest takes" in files
