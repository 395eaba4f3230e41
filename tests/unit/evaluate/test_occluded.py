"""The paired test of occlusions, against counting written out, with a planted engine."""

import numpy as np
import pytest

import vnvision.evaluate.occluded_probes as probes_module
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.occluded import OccludedReport, occluded_pairs
from vnvision.evaluate.occluded_probes import nearest
from vnvision.records import Face

MARKS = ((10.0, 10.0), (30.0, 10.0), (20.0, 20.0), (12.0, 30.0), (28.0, 30.0))
BOX = (0.0, 0.0, 40.0, 40.0)
SUBJECTS, EACH = 12, 3
LOST = 255  # a drawing that hides the face


def face(score=0.9, box=BOX):
    return Face(box_xyxy_px=box, landmarks_px=MARKS, score=score)


class Planted:
    """Reads subject, picture and what was drawn from one pixel; templates scatter more the more is drawn."""

    def __init__(self):
        self.detector = self.embedder = self

    def detect(self, images):
        return [self._faces(image[0, 0]) for image in images]

    @staticmethod
    def _faces(pixel):
        if pixel[2] == LOST:
            return ()
        other = face(0.99, (100.0, 100.0, 150.0, 150.0))  # someone else, smaller overlap
        small = face(0.5, (0.0, 0.0, 4.0, 4.0))
        return (other, small, face(0.9 - 0.001 * pixel[2])) if pixel[2] else (face(0.9), small)

    def align(self, image, faces):
        return np.stack([image[:1, :1] for _ in faces])

    def embed(self, crops):
        return np.stack([template(*crop[0, 0].tolist()) for crop in crops])


def template(subject, picture, amount):
    own = np.random.default_rng(subject).normal(size=16)
    noise = np.random.default_rng([subject, picture, amount]).normal(size=16)
    vector = own + (0.55 + 0.02 * amount) * noise
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def pictures():
    rows = []
    for subject in range(SUBJECTS):
        for number in range(EACH):
            image = np.zeros((48, 48, 3), np.uint8)
            image[0, 0] = (subject, number, 0)
            rows.append((image, f"s{subject}"))
    return rows


def draw(image, landmarks_px, kind, *, seed, strength):
    """Rain adds noise, a helmet hides every fourth picture."""
    assert np.allclose(landmarks_px, MARKS)
    result = image.copy()
    hides = (int(image[0, 0, 0]) * EACH + int(image[0, 0, 1])) % 4 == 0
    result[0, 0, 2] = {"rain": 60, "glasses": 1, "motorbike_helmet": LOST if hides else 1}[kind]
    return result


@pytest.fixture
def planted(monkeypatch):
    monkeypatch.setattr(probes_module, "occlude", draw)
    return Planted()


def counted(kind, threshold):
    """TAR, FMR and the share of lost faces by loops."""
    plain = [(s, p, template(s, p, 0)) for s in range(SUBJECTS) for p in range(EACH)]
    genuine, impostor, lost = [], [], []
    for subject, picture, _ in plain:
        hidden = kind == "motorbike_helmet" and (subject * EACH + picture) % 4 == 0
        lost.append(hidden)
        amount = {"plain": 0, "rain": 60}.get(kind, 1)
        probe = template(subject, picture, amount)
        for other, number, reference in plain:
            if (other, number) == (subject, picture):
                continue
            match = not hidden and float(reference @ probe) >= threshold
            if other == subject:
                genuine.append(match)
            elif not hidden:
                impostor.append(match)
    return np.mean(genuine), np.mean(impostor), np.mean(lost)


def test_rates_equal_counting_written_out(planted):
    kinds = ("rain", "glasses", "motorbike_helmet")
    report = occluded_pairs(pictures(), planted, kinds, target_fmr=0.01, n_boot=200)
    limit = report.threshold.threshold
    scores = sorted(
        float(template(a, p, 0) @ template(b, q, 0))
        for a in range(SUBJECTS)
        for b in range(a)
        for p in range(EACH)
        for q in range(EACH)
    )
    allowed = int(0.01 * len(scores))
    assert report.threshold.n_impostor == len(scores) == 66 * 9
    assert sum(score >= limit for score in scores) == allowed
    plain_tar, plain_fmr, _ = counted("plain", limit)
    assert report.plain.tar.value == pytest.approx(plain_tar)
    assert report.plain.fmr.value == pytest.approx(plain_fmr)
    assert report.plain.cost is None
    assert tuple(row.kind for row in report.kinds) == kinds
    for row in report.kinds:
        tar, fmr, lost = counted(row.kind, limit)
        assert row.tar.value == pytest.approx(tar)
        assert row.fmr.value == pytest.approx(fmr)
        assert row.failure_to_detect.value == pytest.approx(lost)
        assert row.cost.value == pytest.approx(plain_tar - tar)
        assert row.tar.low <= row.tar.value <= row.tar.high
        assert row.cost.low <= row.cost.value <= row.cost.high
        assert row.tar.n == row.cost.n == SUBJECTS * EACH * (EACH - 1)
    rain, glasses, helmet = report.kinds
    assert rain.detector_score.value == pytest.approx(0.84)
    assert helmet.detector_score.n == SUBJECTS * EACH * 3 // 4
    assert helmet.failure_to_detect.value == 0.25
    # Paired: the small cost of one change is known better than either rate.
    assert glasses.cost.high - glasses.cost.low < glasses.tar.high - glasses.tar.low


def test_nothing_drawn_costs_nothing(planted, monkeypatch):
    monkeypatch.setattr(probes_module, "occlude", lambda image, *_, **__: image)
    report = occluded_pairs(pictures(), planted, ("rain",), target_fmr=0.01, n_boot=100)
    assert report.kinds[0].cost.value == 0
    assert report.kinds[0].tar.value == pytest.approx(report.plain.tar.value)
    assert report.kinds[0].fmr.value == pytest.approx(report.plain.fmr.value)


def test_pictures_without_a_face_are_left_out_and_counted(planted):
    some = pictures()
    blind = np.zeros((48, 48, 3), np.uint8)
    blind[0, 0] = (0, 9, LOST)
    report = occluded_pairs([*some, (blind, "s0")], planted, ("rain",), target_fmr=0.01, n_boot=50)
    assert (report.left_out, report.n_images, report.n_subjects) == (1, SUBJECTS * EACH, SUBJECTS)


def test_a_kind_in_which_every_face_is_lost(planted, monkeypatch):
    def hide(image, *_, **__):
        result = image.copy()
        result[0, 0, 2] = LOST
        return result

    monkeypatch.setattr(probes_module, "occlude", hide)
    row = occluded_pairs(pictures(), planted, ("rain",), target_fmr=0.01, n_boot=50).kinds[0]
    assert row.tar.value == 0
    assert row.failure_to_detect.value == 1
    assert row.detector_score.value is None
    assert row.detector_score.note == "no images: not defined"
    assert row.fmr.value is None


def test_quality_and_progress_are_asked_for(planted):
    steps = []
    report = occluded_pairs(
        pictures(),
        planted,
        ("rain",),
        target_fmr=0.01,
        n_boot=50,
        quality=lambda image, found: float(100 - image[0, 0, 2]),
        progress=lambda done, total: steps.append((done, total)),
    )
    assert report.plain.quality.value == 100
    assert report.kinds[0].quality.value == 40
    assert steps[-1] == (36, 36)
    assert OccludedReport.from_json(report.to_json()) == report


def test_the_nearest_face_is_the_one_that_overlaps():
    near, far = face(0.5, (4.0, 4.0, 44.0, 44.0)), face(0.99, (60.0, 60.0, 100.0, 100.0))
    assert nearest((far, near), BOX) is near
    assert nearest((far,), BOX) is None
    assert nearest((), BOX) is None


def test_wrong_input_is_named(planted):
    with pytest.raises(ConfigError, match="unknown kind of occlusion"):
        occluded_pairs(pictures(), planted, ("scarf",))
    with pytest.raises(
        DataError, match="pictures make no pairs: expected two of one person, and two persons"
    ):
        occluded_pairs(pictures()[:3], planted, ("rain",))
    with pytest.raises(DataError, match="got 12 with a face, of 12 persons"):
        occluded_pairs(pictures()[::3], planted, ("rain",))
