from __future__ import annotations

import re

import pytest
from PIL import Image

from vnvision.data.describe import describe
from vnvision.data.manifest import read_manifest
from vnvision.evaluate.notes import SMALL
from vnvision.export.card import model_card
from vnvision.export.card_file import card_of
from vnvision.export.card_text import DATA_NAMES, TEXT
from vnvision.export.markdown import number, plain, table
from vnvision.export.result import GateResult
from vnvision.records import (
    BundleManifest,
    Calibration,
    EvalReport,
    GroupRow,
    LesionRule,
    Licences,
    Metric,
    OperatingPoint,
    TargetRecord,
)
from vnvision.spec import Label, PreprocessSpec, TaskSpec

TASK = TaskSpec(
    kind="classification",
    preprocess=PreprocessSpec(size_px=(112, 96), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
    labels=(Label(id="healthy", vi="Lá khoẻ", en="Healthy"), Label(id="rust", vi="Gỉ sắt", en="Rust")),
)
RESULT = GateResult(
    target="onnx", engine="onnxruntime", n=8, scale=3.0, max_abs=3e-6, max_relative=1.23e-6,
    cosine_mean=0.9999999, cosine_min=0.999999, top1_agreement=1.0, top1_n=8, batch_relative=0.0,
)  # fmt: skip


def card(task=TASK, report=None, result=RESULT, calibration=None, points=(), **options) -> str:
    record = TargetRecord(
        file="model.onnx",
        engine="onnxruntime",
        calibration=calibration or Calibration(),
        operating_points=points,
    )
    files = dict.fromkeys(("model.onnx", "golden.npz", "scope.npz"), "0" * 64)
    settings = {"name": "leaf", "licences": Licences(weights="MIT", training_data=("CC-BY-4.0",))} | options
    manifest = BundleManifest(task=task, targets={"onnx": record}, files=files, **settings)
    return model_card(manifest, report, {"onnx": result}, {"onnx": 9_931_440})


def report(**options) -> EvalReport:
    metrics = {
        "accuracy": Metric(value=0.91234, low=0.85, high=0.95, n=200),
        "auroc": Metric(value=None, n=200, note="one class only"),
        "own|metric": Metric(value=0.5, n=200),
    }
    accuracy = {"accuracy": metrics["accuracy"]}
    settings = {
        "task": TASK,
        "split": "test",
        "n": 200,
        "n_groups": 150,
        "manifest_sha256": "0" * 64,
        "metrics": metrics,
        "groups": (GroupRow(column="region", value="Cần Thơ", n=80, metrics=accuracy),),
        "data": {
            "licences": {"CC-BY-4.0": 180, "MIT": 20},
            "sources": ["farm|one"],
            "n": 1000,
            "mean_size": 1.5,
        },
        "warnings": (SMALL.format(images=200, groups=150), "odd|thing"),
    }
    return EvalReport(**(settings | options))


def halves(text: str) -> tuple[str, str]:
    _, vi, en = re.split(r"^## (?:Tiếng Việt|English)$", text, flags=re.MULTILINE)
    return vi, en


def cells(line: str) -> list[str]:
    return re.split(r"(?<!\\)\|", line)[1:-1]


def test_both_languages_have_the_same_keys_and_fields():
    assert TEXT["vi"].keys() == TEXT["en"].keys()
    for key, text in TEXT["en"].items():
        assert set(re.findall(r"{\w*}", text)) == set(re.findall(r"{\w*}", TEXT["vi"][key])), key
        assert text.count("|") == TEXT["vi"][key].count("|"), key
    assert all(set(names) == {"vi", "en"} for names in DATA_NAMES.values())


def test_vietnamese_comes_first_with_decimal_commas():
    vi, en = halves(card(report=report()))
    assert "| Tỉ lệ đúng | 0,912 | [0,850; 0,950] (95 %) | 200 |" in vi
    assert "| Accuracy | 0.912 | [0.850, 0.950] (95 %) | 200 |" in en
    assert "| 9,9 | 1,23e-06 | 1,000000 | 100% (8) |" in vi
    assert "| 9.9 | 1.23e-06 | 1.000000 | 100% (8) |" in en
    assert "trung bình (0,485; 0,456; 0,406)" in vi
    assert "Resized to 96×112 pixels" in en


def test_labels_data_groups_and_limits():
    vi, en = halves(card(report=report()))
    assert "| 1 | rust | Gỉ sắt | Rust |" in vi
    assert "- Licences: CC-BY-4.0 (180), MIT (20)" in en
    assert "- Giấy phép: CC-BY-4.0 (180), MIT (20)" in vi
    assert "- Sources: farm\\|one" in en
    assert "mean size: 1,5" in vi
    assert "mean size: 1.5" in en
    assert "#### By region" in en
    assert "| group | n | Accuracy |" in en
    assert "| Cần Thơ | 200 | 0.912 [0.850, 0.950] |" in en
    assert "| Cần Thơ | 200 | 0,912 [0,850; 0,950] |" in vi
    assert "- small test set: 200 images in 150 groups" in en
    assert "small test set" not in vi
    assert "- odd\\|thing" in vi
    assert "Not measured by region" not in en
    assert "Not tested on pictures out of scope" in en
    assert "vnvision predict" in en


def test_description_of_a_manifest_is_condensed(tmp_path):
    image = Image.new("RGB", (30, 20))
    rows = ["path,label,split,region,licence"]
    for i, (label, split, region) in enumerate(
        [("a", "train", "Huế"), ("b", "train", ""), ("a", "test", "Huế")]
    ):
        image.save(tmp_path / f"{i}.png")
        rows.append(f"{i}.png,{label},{split},{region},CC0-1.0")
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    data = describe(read_manifest(tmp_path / "manifest.csv"))
    vi, en = halves(card(report=report(data=data)))
    assert "- Labels: a (2), b (1)\n" in en
    assert "- Images by split: the training set (2), the test set (1)\n" in en
    assert "- Số ảnh từng phần: tập huấn luyện (2), tập kiểm tra (1)\n" in vi
    assert "- Regions: Huế (2), not stated (1)\n" in en
    assert "- Vùng miền: Huế (2), chưa ghi (1)\n" in vi
    assert "- Formats and sizes: PNG (3), 30x20 (3)\n" in en
    assert f"- Manifest: manifest.csv, {data['manifest']['sha256']}\n" in en


def test_undefined_metric_is_said_not_zero():
    vi, en = halves(card(report=report()))
    assert "| AUROC | not defined | – | 200 |" in en
    assert "| không xác định | – | 200 |" in vi


def test_without_a_report_nothing_is_claimed():
    vi, en = halves(card())
    assert "how good the model is, is not known" in en
    assert "chưa biết mô hình tốt đến đâu" in vi
    assert "Not measured by region" in en
    assert "Not calibrated" in en
    assert "always answers" in en
    assert "Not stated. Whoever exports" in en


def test_a_model_that_withholds_from_healthy_leaves_says_so():
    vi, en = halves(card(calibration=Calibration(lesions=LesionRule(least_share=0.0015, fitted_on="blades"))))
    assert "less than 0.15 % of its area has another colour" in en
    assert "(limit chosen on: blades)" in en
    assert "dưới 0,15 % (ngưỡng chọn trên: blades)" in vi
    assert "always" not in en.split("Calibration and abstention")[1].split("###")[0]


def test_a_gate_without_an_abstention_limit():
    gate = Calibration(scope_file="scope.npz", scope_sha256="0" * 64)
    vi, en = halves(card(calibration=gate))
    assert "what the gate lets through is always answered" in en
    assert "ảnh nào qua được bộ lọc đều có câu trả lời" in vi
    assert "strange pictures included" not in en


def test_calibration_abstention_and_points_are_told():
    calibration = Calibration(
        temperatures=(1.25,),
        abstain_below=0.6,
        fitted_on="val",
        n=90,
        scope_file="scope.npz",
        scope_sha256="0" * 64,
    )
    point = OperatingPoint(
        threshold=0.5, scale="probability", target="specificity=0.90", label="rust", population="field",
        achieved=Metric(value=0.9, low=0.8, high=1.0, n=50), n=50, manifest_sha256="0" * 64,
    )  # fmt: skip
    vi, en = halves(card(calibration=calibration, points=(point,)))
    assert "Temperature 1.250, fitted on the validation set (90 images)" in en
    assert "ước lượng trên tập thẩm định (90 ảnh)" in vi
    assert '"not sure" where its highest probability is below 0.600' in en
    assert "dưới 0,600" in vi
    assert "scope.npz" in en
    assert (
        "Threshold rust (specificity=0.90): 0.500; achieved 0.900 [0.800, 1.000] (95 %), n=50, on field."
        in en
    )
    assert "Not tested on pictures out of scope" not in en


@pytest.mark.parametrize("language", ["vi", "en"])
def test_banners(language):
    plain_half = dict(zip(("vi", "en"), halves(card()), strict=True))[language]
    loud = card(synthetic=True, provenance={"domain": "clinic"})
    loud_half = dict(zip(("vi", "en"), halves(loud), strict=True))[language]
    for key in ("synthetic", "clinic"):
        assert TEXT[language][key] not in plain_half
        assert TEXT[language][key] in loud_half


def test_blind_spots_are_told():
    blind = RESULT.model_copy(update={"blind_to": ("channel order swapped (RGB and BGR)",)})
    vi, en = halves(card(result=blind))
    assert "could not reveal: channel order swapped (RGB and BGR)." in en
    assert "đảo thứ tự kênh màu" in vi


def test_blind_spots_stay_with_the_bundle(tmp_path):
    """A card rendered from the bundle alone tells them too."""
    blind = RESULT.model_copy(update={"blind_to": ("channel order swapped (RGB and BGR)",)})
    record = TargetRecord(file="model.onnx", engine="onnxruntime", parity=blind.parity())
    (tmp_path / "model.onnx").write_bytes(b"1")
    BundleManifest(
        name="leaf",
        task=TASK,
        targets={"onnx": record},
        files=dict.fromkeys(("model.onnx", "golden.npz"), "0" * 64),
        licences=Licences(weights="MIT"),
    ).save(tmp_path / "manifest.json")
    assert "could not reveal: channel order swapped (RGB and BGR)." in card_of(tmp_path)


HOSTILE = "a|b\n# Owned\r\n<img src=x onerror=1> [x](javascript:1) `c` **d** \u202egnp \\| \x00"


def test_hostile_text_breaks_nothing():
    labels = (Label(id=HOSTILE, vi=HOSTILE, en="|" * 5), Label(id="b", en="x" * 5000))
    task = TaskSpec(kind="classification", preprocess=TASK.preprocess, labels=labels)
    text = card(
        task=task,
        name=HOSTILE,
        report=report(
            task=task,
            data={HOSTILE: {HOSTILE: [HOSTILE]}},
            warnings=(HOSTILE,),
            split=HOSTILE,
            per_class={HOSTILE: {"f1": Metric(value=0.5, n=3)}},
        ),
        licences=Licences(weights=HOSTILE, training_data=(HOSTILE,)),
        provenance={HOSTILE: HOSTILE, "purpose": HOSTILE, "config": {"epochs": 3}},
    )
    assert "<img" not in text
    assert "\n# Owned" not in text
    assert "\u202e" not in text
    assert "\x00" not in text
    assert not re.search(r"(?<!\\)\[x", text)
    assert not re.search(r"(?<!\\)`c", text)
    assert max(map(len, text.splitlines())) < 4000
    for block in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(cells(line)) for line in block.splitlines()}
        assert len(widths) == 1, block  # every row has as many cells as its header


def test_plain_escapes_each_kind():
    assert plain("a|b") == "a\\|b"
    assert plain("a\n\tb") == "a b"
    assert plain("<b>&") == "&lt;b&gt;&amp;"
    assert plain("lá_khoẻ") == "lá\\_khoẻ"
    assert plain("x" * 300).endswith("…")
    assert number(1234.5678, "vi", 2) == "1234,57"
    assert table("a | b", [("1", "2")]).splitlines() == ["| a | b |", "| --- | --- |", "| 1 | 2 |"]
