from __future__ import annotations

import hashlib
import json
import os
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from vnvision import atomic, records, spec
from vnvision.errors import (
    BundleError,
    ConfigError,
    DataError,
    ExportError,
    MissingExtraError,
    ModelError,
    VnvisionError,
)
from vnvision.records import (
    AbstentionRule,
    Box,
    BundleManifest,
    Calibration,
    ClassPrediction,
    DetectionPrediction,
    EmbeddingPrediction,
    EvalReport,
    Face,
    GroupRow,
    Judgement,
    LesionRule,
    Licences,
    MaskPrediction,
    Metric,
    Mistake,
    OperatingPoint,
    Prediction,
    Sample,
    TargetRecord,
)
from vnvision.spec import BoxSpec, Label, PreprocessSpec, Record, SeveritySpec, TaskSpec, config_json

HASH = "0" * 64
PRE = PreprocessSpec(size_px=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LABELS = (Label(id="healthy", vi="Khỏe mạnh", en="Healthy"), Label(id="rust", vi="Gỉ sắt"))
TASK = TaskSpec(kind="classification", preprocess=PRE, labels=LABELS)
METRIC = Metric(value=0.9, low=0.85, high=0.94, n=200)
POINT = OperatingPoint(
    threshold=0.4, scale="probability", target="specificity=0.90", achieved=METRIC, population="x", n=9,
    manifest_sha256=HASH,
)  # fmt: skip
JUDGED = Judgement(
    split="val", n=9, manifest_sha256=HASH, metric="accuracy", original=0.9, target=0.88, change=METRIC,
    agreement=0.97,
)  # fmt: skip
EXAMPLES: dict[type[Record], Record] = {
    Label: LABELS[0],
    PreprocessSpec: PRE,
    TaskSpec: TASK,
    SeveritySpec: SeveritySpec(diseased=("rust",), whole=("healthy", "rust")),
    BoxSpec: BoxSpec(stride_px=8, thresholds=(0.2, 0.4)),
    Face: Face(box_xyxy_px=(1, 2, 3.5, 4), landmarks_px=((1, 2),) * 5, score=0.5, embedding=(0.1, 1 / 3)),
    ClassPrediction: ClassPrediction(
        labels=("a", "b"), probabilities=(0.1, 0.9), reasons=("low_confidence",)
    ),
    EmbeddingPrediction: EmbeddingPrediction(embedding=(0.6, 0.8), source="ảnh.jpg"),
    Box: Box(box_xyxy_px=(0, 0, 1, 1), label="WBC", score=0.25),
    DetectionPrediction: DetectionPrediction(boxes=(), counts={"WBC": 3}),
    MaskPrediction: MaskPrediction(size_px=(2, 3), mask_rle=((0, 4), (1, 2)), severity=0.5),
    Metric: METRIC,
    OperatingPoint: POINT,
    AbstentionRule: AbstentionRule(risk=0.1, delta=0.05, bound=0.09, coverage=0.8, n=90),
    LesionRule: LesionRule(least_share=0.002, fitted_on="drawn blades"),
    Calibration: Calibration(temperatures=(1.5,), abstain_below=0.6, manifest_sha256=HASH, n=3),
    GroupRow: GroupRow(column="region", value="mekong", n=4, metrics={"accuracy": METRIC}),
    Mistake: Mistake(path="a.jpg", truth="rust", answer="healthy", probability=0.7),
    EvalReport: EvalReport(
        task=TASK,
        split="test",
        n=200,
        n_groups=50,
        manifest_sha256=HASH,
        metrics={"accuracy": METRIC, "auroc": Metric(value=None, n=0, note="one class")},
        curves={"roc": ((0.0, 0.0), (1.0, 1.0))},
        data={"licences": ["CC BY 4.0"], "n": 3},
    ),
    Judgement: JUDGED,
    TargetRecord: TargetRecord(
        file="model.onnx", engine="onnxruntime", operating_points=(POINT,), p50_ms=3.1, judged=JUDGED
    ),
    Licences: Licences(weights="Apache-2.0", training_data=("CC BY 4.0",)),
    BundleManifest: BundleManifest(
        name="lá",
        task=TASK,
        targets={"onnx": TargetRecord(file="model.onnx", engine="onnxruntime")},
        files={"model.onnx": HASH, "golden.npz": HASH},
        licences=Licences(weights="Apache-2.0"),
        provenance={"commit": "abc", "seeds": [1, 2]},
    ),
}
EACH = pytest.mark.parametrize("record", EXAMPLES.values(), ids=lambda record: type(record).__name__)


def test_every_public_record_has_an_example_here():
    public = {
        item
        for module in (spec, records)
        for name, item in vars(module).items()
        if isinstance(item, type) and issubclass(item, Record) and item is not Record and name[0] != "_"
    }
    assert public == set(EXAMPLES)


@EACH
def test_json_goes_both_ways_without_loss(record, tmp_path):
    kind = type(record)
    assert kind.from_json(record.to_json()) == record
    assert kind.from_json(record.to_json().encode()) == record
    path = record.save(tmp_path / "deep" / "record.json")
    assert kind.load(path) == record
    assert path.read_text(encoding="utf-8").endswith("}\n")
    assert kind.model_validate(record.model_dump()) == record
    assert pickle.loads(pickle.dumps(record)) == record


@EACH
def test_records_are_frozen(record):
    field = next(iter(type(record).model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(record, field, getattr(record, field))
    with pytest.raises(ValidationError, match="frozen"):
        record.something_new = 1


@EACH
def test_all_unknown_keys_are_listed_together_with_the_file(record, tmp_path):
    value = json.loads(record.to_json()) | {"colur": 1, "sise": 2}
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ConfigError) as caught:
        type(record).load(path)
    text = str(caught.value)
    assert text.startswith(f"{path} is not a valid {type(record).__name__}: ")
    assert "colur: unknown key" in text
    assert "sise: unknown key" in text
    assert "\n" not in text


def test_wrong_missing_and_unknown_are_told_in_one_line_with_their_place():
    value = json.loads(TASK.to_json())
    value["preprocess"] |= {"crop_pct": 2, "colour": "hsv", "gamma": 1}
    del value["preprocess"]["size_px"]
    with pytest.raises(DataError) as caught:
        TaskSpec.from_json(json.dumps(value), "task.json", DataError)
    text = str(caught.value)
    for part in (
        "preprocess.size_px: Field required",
        "preprocess.crop_pct: Input should be less than or equal to 1 (got 2)",
        "preprocess.colour: Input should be 'rgb', 'bgr' or 'grey' (got 'hsv')",
        "preprocess.gamma: unknown key",
    ):
        assert part in text


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", '{"value": NaN, "n": 1}', '{"value": Infinity, "n": 1}', "\x00"]
)
def test_text_that_is_not_the_record(text):
    with pytest.raises(BundleError, match="Metric is not a valid Metric: value: "):
        Metric.from_json(text, error=BundleError)


def test_numbers_that_json_cannot_hold_are_refused():
    for bad in (float("nan"), float("inf")):
        with pytest.raises(ValidationError, match="finite number"):
            Metric(value=bad, n=1)


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(ModelError, match=f"cannot read {tmp_path}/gone.json: got No such file or directory"):
        TaskSpec.load(tmp_path / "gone.json", ModelError)
    with pytest.raises(ConfigError, match="got Is a directory"):
        TaskSpec.load(tmp_path)


@settings(derandomize=True, database=None, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=20))
def test_floats_and_texts_survive_json(number, text):
    metric = Metric(value=number, n=0, note=text.encode("utf-8", "replace").decode())
    assert Metric.from_json(metric.to_json()) == metric


def test_fingerprints_are_stable():
    """Written down once: fingerprints are stored beside weights, so a change here breaks saved models."""
    plain = PreprocessSpec(size_px=(224, 224))
    canonical = json.dumps(plain.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    assert plain.fingerprint() == hashlib.sha256(canonical.encode()).hexdigest()[:16]
    code = "from vnvision.spec import PreprocessSpec as P; print(P(size_px=(224, 224)).fingerprint())"
    for seed in ("1", "2"):  # another process, other hash seeds
        environment = os.environ | {"PYTHONHASHSEED": seed}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
        assert run.stdout.strip() == plain.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"size_px": (224, 225)},
        {"colour": "bgr"},
        {"input_dtype": "uint16"},
        {"input_range": (0.0, 1.0)},
        {"geometry": "crop"},
        {"crop_pct": 0.99},
        {"pad_value": 1.0},
        {"interpolation": "area"},
        {"mean": (0.485, 0.456, 0.4060001)},
        {"std": (0.229, 0.224, 0.226)},
        {"flip_average": True},
        {"voi_window": (40.0, 400.0)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_fingerprints_feel_every_field(change):
    changed = PreprocessSpec.model_validate(PRE.model_dump() | change)
    assert changed.fingerprint() != PRE.fingerprint()
    assert PreprocessSpec.model_validate(PRE.model_dump()).fingerprint() == PRE.fingerprint()
    assert set(change) <= set(PreprocessSpec.model_fields)


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"size_px": (0, 5)}, r"size_px must lie in 1\.\.16384"),
        ({"size_px": (5, 20_000)}, r"size_px must lie in 1\.\.16384"),
        ({"colour": "grey"}, "mean and std need 1 values for colour 'grey'"),
        ({"mean": (0.0, 0.0)}, "mean and std need 3 values"),
        ({"std": (1.0, 0.0, 1.0)}, "std must be positive"),
        ({"input_range": (1.0, 1.0)}, "low < high"),
        ({"crop_pct": 0.0}, "greater than 0"),
    ],
)
def test_preprocess_specs_that_contradict_themselves(keys, text):
    with pytest.raises(ValidationError, match=text):
        PreprocessSpec(**({"size_px": (8, 8)} | keys))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"labels": (LABELS[0], LABELS[0])}, r"labels repeat: \['healthy'\]"),
        ({"labels": LABELS[:1]}, "classification needs two labels or more, got 1"),
        ({"score": "sigmoid"}, "classification is scored by softmax, got sigmoid"),
        ({"kind": "multilabel", "score": "sigmoid", "labels": ()}, "multilabel needs labels"),
        ({"kind": "embedding", "score": "cosine"}, "an embedding task needs embedding_dim"),
        ({"kind": "embedding", "score": "cosine", "embedding_dim": 0}, "greater than 0"),
    ],
)
def test_task_specs_that_contradict_themselves(keys, text):
    with pytest.raises(ValidationError, match=text):
        TaskSpec(**({"kind": "classification", "preprocess": PRE, "labels": LABELS} | keys))


def test_small_helpers_of_the_records():
    assert LABELS[1].text("vi") == "Gỉ sắt"
    assert Label(id="leaf_rust").text("en") == "leaf rust"
    assert TASK.label_ids == ("healthy", "rust")
    assert PreprocessSpec(size_px=(1, 1), colour="grey", mean=(0,), std=(1,)).channels == 1
    answer = EXAMPLES[ClassPrediction]
    assert (answer.top, answer.confidence) == ("b", 0.9)
    assert config_json({"b": 1, "a": {"d": [1, 2], "c": None}}) == '{"a":{"c":null,"d":[1,2]},"b":1}'


def test_predictions_are_told_apart_by_kind():
    adapter = TypeAdapter(Prediction)
    for kind in typing.get_args(typing.get_args(Prediction)[0]):
        example = EXAMPLES[kind]
        assert adapter.validate_json(adapter.dump_json(example)) == example
    with pytest.raises(ValidationError, match="kind"):
        adapter.validate_python({"kind": "poem"})


def test_bundle_manifests_that_contradict_themselves():
    keys = EXAMPLES[BundleManifest].model_dump()
    with pytest.raises(ValidationError, match=r"files without a hash: \['golden\.npz'\]"):
        BundleManifest(**(keys | {"files": {"model.onnx": HASH}}))
    for name in ("/etc/x", "../x", "a/../../x", "c:\\x", "\\\\host\\x"):
        with pytest.raises(ValidationError, match="file names must stay inside the bundle"):
            BundleManifest(**(keys | {"files": keys["files"] | {name: HASH}}))
    for digest in ("0" * 63, "G" * 64, HASH.replace("0", "A"), HASH + "\n"):
        with pytest.raises(ValidationError, match="should match pattern"):
            BundleManifest(**(keys | {"files": keys["files"] | {"x": digest}}))


def test_calibrations_that_contradict_themselves():
    for keys, text in (
        ({"temperatures": ()}, "at least 1 item"),
        ({"temperatures": (1.0, 0.0)}, "temperatures must be positive"),
        ({"abstain_below": 1.5}, "less than or equal to 1"),
        ({"scope_file": "scope.npz"}, "scope_file and scope_sha256 go together"),
    ):
        with pytest.raises(ValidationError, match=text):
            Calibration(**keys)


def test_samples_compare_by_identity_and_are_frozen():
    image = np.zeros((2, 2, 3), np.uint8)
    one, two = Sample(image), Sample(image)
    assert one != two
    assert len({one, two}) == 2
    assert (one.label, one.labels, one.meta) == (-1, None, {})
    with pytest.raises(AttributeError):
        one.label = 3


def test_errors_are_one_line_with_expected_got_and_fix():
    error = DataError("a.jpg\nis odd", expected="x", got="y\t z", fix="do w")
    assert str(error) == "a.jpg is odd: expected x, got y z; do w"
    assert (error.expected, error.got, error.fix) == ("x", "y\t z", "do w")
    assert str(DataError("plain")) == "plain"
    assert str(DataError("p", got="")) == "p: got"
    assert str(DataError("p", fix="f")) == "p; f"
    for kind in (ConfigError, DataError, ModelError, BundleError, ExportError, MissingExtraError):
        assert issubclass(kind, VnvisionError)
    missing = MissingExtraError("torch", "train")
    assert str(missing) == "torch is not installed; install it with: pip install 'vnvision[train]'"
    assert (missing.package, missing.extra) == ("torch", "train")


@pytest.mark.parametrize("write", [atomic.write_bytes, atomic.write_text, atomic.write_json])
def test_atomic_writes_replace_and_leave_nothing_else(tmp_path, write):
    target = tmp_path / "new" / "file"
    for value in ("first", "second"):
        assert write(target, value.encode() if write is atomic.write_bytes else value) == target
    assert b"second" in target.read_bytes()
    assert [path.name for path in target.parent.iterdir()] == ["file"]
    assert target.stat().st_mode & 0o777 == 0o644
    assert atomic.sha256_file(target) == hashlib.sha256(target.read_bytes()).hexdigest()


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_temporary(tmp_path, monkeypatch, step, error):
    target = tmp_path / "file"
    target.write_bytes(b"old")

    def fail(*_args, **_options):
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)):
        atomic.write_bytes(target, b"new")
    monkeypatch.undo()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_reader_sees_the_old_file_until_the_rename(tmp_path, monkeypatch):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    seen = []
    real = os.replace

    def spy(source, goal):
        seen.append((Path(source).parent == tmp_path, Path(source).read_bytes(), target.read_bytes()))
        real(source, goal)

    monkeypatch.setattr(os, "replace", spy)
    atomic.write_bytes(target, b"new")
    assert seen == [(True, b"new", b"old")]


def test_atomic_json_refuses_what_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        atomic.write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []
    atomic.write_json(tmp_path / "x.json", {"chữ": "Việt"})
    assert "Việt" in (tmp_path / "x.json").read_text(encoding="utf-8")
