from __future__ import annotations

import gc
import itertools
import json
import os
import subprocess
import sys
import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from vnvision import runtime
from vnvision.errors import BundleError, ConfigError, DataError, ModelError
from vnvision.records import BundleManifest, Calibration, ClassPrediction, EmbeddingPrediction
from vnvision.runtime import load_bundle, target
from vnvision.runtime.answers import abstentions, answers
from vnvision.runtime.predictor import Predictor
from vnvision.runtime.readahead import read_ahead

BOTH = pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])


def softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z) / np.exp(z).sum()


@BOTH
def test_probabilities_are_the_formula(make_bundle, model_answer, picture, engine):
    calibration = Calibration(temperatures=(2.5,))
    model = load_bundle(make_bundle(calibration=calibration), engine=engine, threads=1)
    answer = model.predict(picture(1))
    assert isinstance(answer, ClassPrediction)
    truth = softmax(model_answer(picture(1)) / 2.5)
    np.testing.assert_allclose(answer.probabilities, truth, atol=1e-5)
    assert answer.labels == ("class_0", "class_1", "class_2", "class_3")
    assert answer.top == f"class_{truth.argmax()}"
    assert (answer.abstained, answer.reasons, answer.source) == (False, (), None)
    assert (model.name, model.task, model.calibration) == ("tiny", model.manifest.task, calibration)


@BOTH
def test_golden_images_give_the_golden_outputs(make_bundle, engine):
    folder = make_bundle()
    golden = np.load(folder / "golden.npz")
    model = load_bundle(folder, engine=engine)
    np.testing.assert_allclose(model.logits_of_crops(golden["images"]), golden["outputs"], atol=1e-5)
    np.testing.assert_array_equal(
        model.logits_of_crops(golden["images"], batch_size=2), model.logits(list(golden["images"]))
    )


def test_records_are_as_strict_as_parsed_ones(make_bundle, picture, tmp_path):
    path = tmp_path / "leaf.png"
    Image.fromarray(picture(2)).save(path)
    for kind, record in (
        ("classification", ClassPrediction),
        ("multilabel", ClassPrediction),
        ("embedding", EmbeddingPrediction),
    ):
        answer = load_bundle(make_bundle(kind)).predict(path)
        assert answer.kind == kind
        assert answer.source == str(path)
        assert record.from_json(answer.to_json()) == answer
        assert record.model_validate(answer.model_dump()) == answer
        assert hash(answer) == hash(record.from_json(answer.to_json()))


def test_multilabel_uses_one_temperature_a_label(make_bundle, model_answer, picture):
    temperatures = (0.5, 1.0, 2.0, 4.0)
    model = load_bundle(make_bundle("multilabel", calibration=Calibration(temperatures=temperatures)))
    truth = 1 / (1 + np.exp(-model_answer(picture(3)) / temperatures))
    np.testing.assert_allclose(model.predict(picture(3)).probabilities, truth, atol=1e-5)


def test_embeddings_have_unit_norm(make_bundle, model_answer, picture):
    answer = load_bundle(make_bundle("embedding")).predict(picture(4))
    raw = model_answer(picture(4))
    np.testing.assert_allclose(answer.embedding, raw / np.sqrt((raw**2).sum()), atol=1e-5)


@BOTH
def test_flip_average_is_the_mean_over_both_views(make_bundle, model_answer, picture, engine):
    model = load_bundle(make_bundle("embedding", flip_average=True), engine=engine)
    images = [picture(seed) for seed in range(5)]
    truth = np.stack([model_answer(image, flip=True) for image in images])
    np.testing.assert_allclose(model.logits(images, batch_size=2), truth, atol=1e-5)
    assert np.abs(truth - [model_answer(image) for image in images]).max() > 0.1


@BOTH
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_a_batch_answers_as_single_images_do(make_bundle, picture, engine, batch_size):
    model = load_bundle(make_bundle(), engine=engine)
    images = [picture(seed, 20 + seed, 30) for seed in range(10)]
    single = [model.predict(image) for image in images]
    for one, many in zip(single, model.predict_many(images, batch_size), strict=True):
        np.testing.assert_allclose(many.probabilities, one.probabilities, atol=1e-5)
    logits = model.logits(images, batch_size)
    assert (logits.shape, logits.dtype) == ((10, 4), np.float32)
    np.testing.assert_allclose([softmax(row) for row in logits], [a.probabilities for a in single], atol=1e-5)
    assert model.logits([]).shape == (0, 4)
    assert list(model.predict_many([])) == []


def test_path_bytes_and_array_agree(make_bundle, picture, tmp_path):
    model = load_bundle(make_bundle())
    path = tmp_path / "leaf.png"
    Image.fromarray(picture(5, 40, 30)).save(path)
    sources = [path, str(path), path.read_bytes(), picture(5, 40, 30)]
    answers_ = [model.predict(source) for source in sources]
    assert [answer.source for answer in answers_] == [str(path), str(path), None, None]
    assert len({answer.probabilities for answer in answers_}) == 1
    assert [answer.source for answer in model.predict_many(sources)] == [str(path), str(path), None, None]


def test_the_image_goes_through_the_preprocessor_of_the_manifest(make_bundle, model_answer, picture):
    image = picture(6, 40, 30)
    squashed = cv2.resize(image, (6, 8), interpolation=cv2.INTER_AREA)
    out = load_bundle(make_bundle(interpolation="area")).logits([image])
    np.testing.assert_allclose(out[0], model_answer(squashed), atol=1e-4)
    grey = image[:, :, :1]
    np.testing.assert_allclose(
        load_bundle(make_bundle(interpolation="area")).logits([grey])[0],
        model_answer(np.repeat(squashed[:, :, :1], 3, axis=2)),
        atol=1e-4,
    )


def test_abstention(make_bundle, model_answer, picture):
    confidence = softmax(model_answer(picture(7))).max()
    sure = load_bundle(make_bundle(calibration=Calibration(abstain_below=confidence - 0.01))).predict(
        picture(7)
    )
    assert (sure.abstained, sure.reasons) == (False, ())
    unsure = load_bundle(make_bundle(calibration=Calibration(abstain_below=confidence + 0.01))).predict(
        picture(7)
    )
    assert (unsure.abstained, unsure.reasons) == (True, ("low_confidence",))
    assert unsure.probabilities == sure.probabilities
    assert unsure.confidence == pytest.approx(confidence, abs=1e-5)


def test_abstention_limits():
    scores = np.array([[0.5, 0.3, 0.1, 0.1], [0.9, 0.1, 0.0, 0.0]])
    assert abstentions(scores, "classification", None) == [False, False]
    assert abstentions(scores, "classification", 0.5) == [False, False]  # below, not at
    assert abstentions(scores, "classification", 0.51) == [True, False]
    scores = np.array([[0.02, 0.01, 0.0, 0.0], [0.99, 0.5, 0.0, 0.0]])  # surely nothing; one label unclear
    assert abstentions(scores, "multilabel", 0.9) == [False, True]


def test_outputs_that_are_no_answer(make_bundle):
    task = load_bundle(make_bundle()).task
    for bad in (np.nan, np.inf):
        with pytest.raises(ModelError, match="the model answered NaN or infinity"):
            answers(
                np.array([[0, bad, 0, 0]], np.float32), task, task.label_ids, Calibration(), [None], [(8, 6)]
            )
    task = load_bundle(make_bundle("embedding")).task
    with pytest.raises(ModelError, match="an embedding of length 0"):
        answers(np.zeros((1, 4), np.float32), task, task.label_ids, Calibration(), [None], [(8, 6)])


def test_one_bad_file_among_many(make_bundle, picture, tmp_path):
    model = load_bundle(make_bundle())
    paths = []
    for index in range(9):
        paths.append(tmp_path / f"{index}.png")
        Image.fromarray(picture(index)).save(paths[-1])
    paths[5].write_bytes(paths[5].read_bytes()[:60])
    results = list(model.predict_many(paths, batch_size=4, on_error="yield"))
    assert [type(result).__name__ for result in results].count("ClassPrediction") == 8
    assert isinstance(results[5], DataError)
    assert str(paths[5]) in str(results[5])
    good = [result for result in results if not isinstance(result, DataError)]
    assert [answer.source for answer in good] == [str(path) for i, path in enumerate(paths) if i != 5]
    stream = model.predict_many(paths, batch_size=4)
    assert [answer.source for answer in itertools.islice(stream, 5)] == [str(path) for path in paths[:5]]
    with pytest.raises(DataError, match=r"5\.png is damaged or cut short"):
        next(stream)
    nothing = list(model.predict_many(["gone.png"] * 40, batch_size=4, on_error="yield"))
    assert {str(error) for error in nothing} == {"gone.png does not exist; check the path"}


def test_predict_many_reads_no_further_than_it_must(make_bundle, picture):
    model = load_bundle(make_bundle())
    taken = itertools.count()

    def endless():
        while True:
            next(taken)
            yield picture(0)

    stream = model.predict_many(endless(), batch_size=4)
    for _ in range(6):
        next(stream)
    stream.close()
    assert next(taken) <= 6 + 3 * 4
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("vnvision-read")]


def test_wrong_arguments_are_told_at_once(make_bundle, picture):
    model = load_bundle(make_bundle())
    with pytest.raises(ConfigError, match="on_error is wrong: expected raise or yield, got 'skip'"):
        model.predict_many([], on_error="skip")
    for call in (model.predict_many, model.logits, model.logits_of_crops):
        with pytest.raises(ConfigError, match="batch_size is wrong: expected 1 or more, got 0"):
            call([picture()], batch_size=0)
    with pytest.raises(DataError, match=r"expected \(8, 6, 3\) uint8, got \(9, 6, 3\) uint8"):
        model.logits_of_crops([picture(0, 9, 6)])


def test_read_ahead_overlaps_keeps_order_and_passes_errors_on():
    together = threading.Barrier(3, timeout=10)  # opens only when three calls are under way at once

    def work(n: int) -> int:
        together.wait()
        return n * n

    assert list(read_ahead(work, range(9), workers=3, ahead=3)) == [n * n for n in range(9)]
    with pytest.raises(ZeroDivisionError):
        list(read_ahead(lambda n: 1 // n, [1, 0, 1], workers=2, ahead=2))


def test_auto_takes_the_first_installed_engine(make_bundle, monkeypatch):
    folder = make_bundle()
    assert load_bundle(folder).engine.name == "openvino"
    monkeypatch.setattr(target, "available_engines", lambda: ("onnxruntime",))
    assert load_bundle(folder).engine.name == "onnxruntime"
    monkeypatch.setattr(target, "available_engines", tuple)
    with pytest.raises(
        BundleError, match=r"has no file that can run here: .*got onnx \(onnxruntime\), openvino"
    ):
        load_bundle(folder)


def test_auto_skips_engines_without_a_target(make_bundle):
    only = {"onnx": {"file": "model.onnx", "engine": "onnxruntime"}}
    assert load_bundle(make_bundle(targets=only)).target == "onnx"
    with pytest.raises(
        BundleError, match=r"no file that can run here: expected openvino, got onnx \(onnxruntime\)"
    ):
        load_bundle(make_bundle(targets=only), engine="openvino")
    with pytest.raises(BundleError, match=r"expected openvino or onnxruntime.*, got chip \(rknn\)"):
        load_bundle(make_bundle(targets={"chip": {"file": "model.onnx", "engine": "rknn"}}))


def test_choosing_by_name(make_bundle):
    two = {
        "fp32": {"file": "model.onnx", "engine": "onnxruntime"},
        "small": {"file": "model.onnx", "engine": "onnxruntime", "precision": "int8"},
    }
    folder = make_bundle(targets=two)
    assert load_bundle(folder).target == "fp32"
    assert load_bundle(folder, target="small").target == "small"
    with pytest.raises(
        ConfigError, match="there is no engine 'tensorrt': expected auto, openvino, onnxruntime"
    ):
        load_bundle(folder, engine="tensorrt")
    with pytest.raises(ConfigError, match="bundle tiny has no target 'fp16': expected fp32, small"):
        load_bundle(folder, target="fp16")
    with pytest.raises(ConfigError, match="target 'small' is not for openvino"):
        load_bundle(folder, target="small", engine="openvino")


@pytest.mark.parametrize("took", [("range", "normalise"), ("normalise", "range")])
def test_what_the_converter_took_in_is_left_out(make_bundle, took):
    record = {"onnx": {"file": "model.onnx", "engine": "onnxruntime", "converter_took": took}}
    model = load_bundle(make_bundle(targets=record))
    image = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    levels = model.preprocessor(image)
    np.testing.assert_array_equal(levels, image.transpose(2, 0, 1).astype(np.float32))


@pytest.mark.parametrize("took", [("range",), ("layout",), ("range", "normalise", "colour")])
def test_what_cannot_be_left_out_is_refused(make_bundle, took):
    record = {"onnx": {"file": "model.onnx", "engine": "onnxruntime", "converter_took": took}}
    with pytest.raises(BundleError, match="took in preprocessing that onnxruntime cannot leave out"):
        load_bundle(make_bundle(targets=record))


def test_bundles_this_version_cannot_run(make_bundle, reseal):
    folder = make_bundle(calibration=Calibration(temperatures=(1.0, 2.0)))
    with pytest.raises(BundleError, match="wrong temperatures: expected 1 or 4, got 2"):
        load_bundle(folder)
    folder = make_bundle()
    manifest = json.loads((folder / "manifest.json").read_text())
    for gate in manifest["targets"].values():
        gate["calibration"] |= {"scope_file": "report.json", "scope_sha256": manifest["files"]["report.json"]}
    with pytest.raises(BundleError, match=r"cannot read the scope gate .*report\.json"):
        load_bundle(reseal(folder, manifest))
    folder = make_bundle()
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["task"] |= {"kind": "segmentation"}
    model = load_bundle(reseal(folder, manifest))
    with pytest.raises(ModelError, match=r"wrong output: expected \(1, 4, h, w\), got \(1, 4\)"):
        model.predict(np.zeros((8, 6, 3), np.uint8))
    manifest["task"]["preprocess"] |= {"flip_average": True}
    with pytest.raises(BundleError, match="maps are not averaged over the flip; export it again"):
        load_bundle(reseal(folder, manifest))
    manifest["task"]["preprocess"] |= {"flip_average": False}
    manifest["task"] |= {"kind": "classification", "labels": manifest["task"]["labels"][:3]}
    model = load_bundle(reseal(folder, manifest))
    with pytest.raises(
        ModelError, match=r"gives the wrong output: expected \(1, 3\), got \(1, 4\); the manifest"
    ):
        model.predict(np.zeros((8, 6, 3), np.uint8))


def test_aligned_models_take_landmarks(make_bundle):
    model = load_bundle(make_bundle("embedding", geometry="align"))
    image = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    points = np.array([[10, 10], [30, 11], [20, 20], [12, 30], [29, 31]], float)
    expected = model.logits_of_crops([model.preprocessor.geometry(image, points)])[0]
    answer = model.predict(image, landmarks_px=points)
    np.testing.assert_allclose(answer.embedding, expected / np.linalg.norm(expected), atol=1e-6)
    with pytest.raises(DataError, match="needs a face's five landmarks"):
        model.predict(image)


def test_many_threads_share_one_predictor(make_bundle, picture):
    model = load_bundle(make_bundle())
    truth = [model.predict(picture(seed)).probabilities for seed in range(32)]
    results: dict[int, tuple] = {}
    threads = [
        threading.Thread(target=lambda s=s: results.__setitem__(s, model.predict(picture(s)).probabilities))
        for s in range(32)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose([results[s] for s in range(32)], truth, atol=1e-6)


def test_a_closed_predictor_says_so(make_bundle, picture):
    model = load_bundle(make_bundle())
    model.close()
    with pytest.raises(ModelError, match="engine is closed"):
        model.predict(picture())


@BOTH
def test_memory_stays_flat(make_bundle, picture, engine):
    model = load_bundle(make_bundle(), engine=engine)
    image = picture(0, 60, 60)

    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm") as stream:
            return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    for _ in range(1000):
        model.predict(image)
    before = resident()
    for _ in range(4000):
        model.predict(image)
    assert resident() - before < 2 * 2**20


def test_runtime_loads_no_torch_and_no_engine_on_import():
    heavy = {"torch", "onnxruntime", "openvino", "onnx"}
    code = f"import sys, vnvision.runtime; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_a_predictor_can_stand_on_any_engine(make_bundle, model_answer, picture):
    """The Protocol is all it needs: another engine is a class with run and close."""

    class Numpy:
        name, path, input_shape, output_names = "numpy", None, (None, 3, 8, 6), ("output",)

        def run(self, batch):
            return (np.full((len(batch), 4), batch.mean(), np.float32),)

        def close(self):
            pass

    manifest = BundleManifest.load(make_bundle() / "manifest.json")
    answer = Predictor(manifest, "onnx", Numpy()).predict(picture())
    np.testing.assert_allclose(answer.probabilities, 0.25)
    assert runtime.Predictor is Predictor
