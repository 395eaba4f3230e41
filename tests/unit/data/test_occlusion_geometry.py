"""Drawn things follow the head: against outlines projected here, and a sticker that ignores the pose."""

import cv2
import numpy as np
import pytest

from vnvision.data.occlusion import occlude
from vnvision.data.occlusion.mask import mask_patches
from vnvision.data.occlusion.pose import LANDMARKS_MM, solve_pose

SIZE, SCALE, EYES = 360, 1.0, np.array([180.0, 150.0])
POSES = [(0, 0, 0), (35, 0, 0), (-35, 0, 0), (0, 0, 30), (20, 10, -25), (-25, -8, 15)]
# Where a mask ends, by anatomy: bridge and tip of the nose, lips, chin, edges at cheekbone and jaw.
EDGES_MM = [
    [0, 6, 15], [-10, 8, 12], [10, 8, 12], [0, 36, 40], [0, 66, 34], [0, 95, 26], [0, 119, 0],
    [-64, 30, -38], [64, 30, -38], [-55, 86, -42], [55, 86, -42], [-38, 110, -14], [38, 110, -14],
    [-54, 56, -4], [54, 56, -4], [-46, 26, 4], [46, 26, 4],
]  # fmt: skip


def rotation(yaw_deg, pitch_deg, roll_deg):
    """As in test_occlusion_pose."""
    turns = [(0, yaw_deg, 0), (-pitch_deg, 0, 0), (0, 0, roll_deg)]
    yaw, pitch, roll = (cv2.Rodrigues(np.radians(np.array(t, float)))[0] for t in turns)
    return roll @ pitch @ yaw


def project(points_mm, pose):
    return SCALE * (np.asarray(points_mm, float) @ rotation(*pose).T)[:, :2] + EYES


def outline(pose):
    """The hull of the projected edges: (SIZE, SIZE) bool."""
    image = np.zeros((SIZE, SIZE), np.uint8)
    hull = cv2.convexHull(project(EDGES_MM, pose).astype(np.float32))
    return cv2.fillConvexPoly(image, np.rint(hull).astype(np.int32), 1) > 0


def drawn(draw, pose):
    """What a way of drawing covers, thin loops left out: (SIZE, SIZE) bool."""
    image = np.full((SIZE, SIZE, 3), (150, 120, 102), np.uint8)
    away = np.abs(draw(image, project(LANDMARKS_MM, pose)).astype(int) - image).max(axis=2)
    solid = cv2.morphologyEx((away > 25).astype(np.uint8), cv2.MORPH_OPEN, np.ones((19, 19), np.uint8))
    return solid > 0


def mask(seed):
    return lambda image, marks: occlude(image, marks, "surgical_mask", seed=seed)


def flat_sticker(image, landmarks):
    """A mask's front view, upright, on the middle of the landmarks, as wide as the eyes tell."""
    mm = np.hypot(*(landmarks[1] - landmarks[0])) / 63
    polygon = np.array(
        [[-60, -10], [-20, -38], [20, -38], [60, -10], [52, 44], [18, 76], [-18, 76], [-52, 44]]
    )
    points = landmarks[2:].mean(axis=0) - [0, 10 * mm] + polygon * mm
    result = image.copy()
    return cv2.fillConvexPoly(result, np.rint(points).astype(np.int32), (235, 240, 245))


def overlap(a, b):
    return (a & b).sum() / (a | b).sum()


def sides(covered, pose):
    """Covered area right of the ridge of the nose over that left of it, in the picture turned upright."""
    ridge = project([[0, 6, 15], [0, 36, 39], [0, 66, 33], [0, 102, 22]], pose)
    y, x = np.nonzero(covered)
    order = np.argsort(ridge[:, 1])
    line = np.interp(y, ridge[order, 1], ridge[order, 0])
    return (x > line).sum() / (x < line).sum()


@pytest.mark.parametrize("pose", POSES)
@pytest.mark.parametrize("seed", [0, 1, 4])
def test_a_mask_covers_what_a_mask_covers(pose, seed):
    assert overlap(drawn(mask(seed), pose), outline(pose)) > 0.84


def test_a_sticker_that_ignores_pose_fails():
    assert overlap(drawn(flat_sticker, POSES[0]), outline(POSES[0])) > 0.8  # it is a fair one: right in front
    turned = [overlap(drawn(flat_sticker, pose), outline(pose)) for pose in POSES[1:]]
    assert np.mean(turned) < 0.75
    assert min(turned) < 0.65


def test_the_far_side_of_a_mask_is_foreshortened():
    yaws = [-40, -20, 0, 20, 40]  # above 0 the nose points right and the right side is the far one
    areas, stuck = (
        [sides(drawn(draw, (yaw, 0, 0)), (yaw, 0, 0)) for yaw in yaws] for draw in (mask(2), flat_sticker)
    )
    assert areas[2] == pytest.approx(1, abs=0.08)
    assert areas == sorted(areas, reverse=True)
    # Widths right and left of the ridge of an ellipse with half axes a and c, seen from the side by yaw: its
    # outline lies at the root of (a cos)^2 + (c sin)^2, its ridge at c sin.
    a, c, turn = 62.0, 75.0, np.radians(40)
    out = np.hypot(a * np.cos(turn), c * np.sin(turn))
    wanted = (out - c * np.sin(turn)) / (out + c * np.sin(turn))
    assert areas[4] == pytest.approx(wanted, abs=0.08)
    assert stuck[4] > wanted + 0.15
    assert areas[0] == pytest.approx(1 / areas[4], rel=0.25)


def test_a_mask_turns_with_the_head():
    for roll in (-40, 0, 25):
        y, x = np.nonzero(drawn(mask(3), (0, 0, roll)))
        spread = np.cov(np.stack([x, y]))
        values, vectors = np.linalg.eigh(spread)
        axis = vectors[:, np.argmax(values)]
        found = np.degrees(np.arctan2(axis[1], axis[0]))
        assert (found - roll + 45) % 90 - 45 == pytest.approx(0, abs=4)


def test_loops_run_to_the_ears():
    pose = solve_pose(project(LANDMARKS_MM, (0, 0, 0)))
    patches = mask_patches(pose, np.random.default_rng(0), folded=False)
    assert len(patches) == 5
    for loop in patches[1:]:
        ends = np.abs(loop.points_mm[1, -1])
        assert 70 < ends[0] < 85
        assert ends[2] > 80


def wide(kind, pose, seed, by=12):
    image = np.full((SIZE, SIZE, 3), (150, 120, 102), np.uint8)
    away = np.abs(occlude(image, project(LANDMARKS_MM, pose), kind, seed=seed).astype(int) - image).max(
        axis=2
    )
    columns = np.flatnonzero((away > by).sum(axis=0) > 1)
    return columns.min() - EYES[0], columns.max() - EYES[0]


def test_the_far_temple_of_glasses_is_hidden():
    left, right = wide("glasses", (0, 0, 0), 1)
    assert left == pytest.approx(-right, abs=4)
    left, right = wide("glasses", (40, 0, 0), 1)
    # The near temple runs back to the ear at (-79, -3, -88), the far one would to (79, -3, -88).
    near, far = project([[-79, -3, -88], [79, -3, -88]], (40, 0, 0))[:, 0] - EYES[0]
    assert left == pytest.approx(near, abs=8)
    hinge = project([[66, 0, 0]], (40, 0, 0))[0, 0] - EYES[0]
    assert far < right < hinge + 20


def test_a_cone_is_as_wide_from_every_side():
    image = np.full((SIZE, SIZE, 3), (60, 80, 100), np.uint8)
    spans = []
    for yaw in (-30, 0, 30):
        shifted = project(LANDMARKS_MM, (yaw, 0, 0)) * 0.5 + 90
        away = np.abs(occlude(image, shifted, "non_la", seed=5).astype(int) - image).max(axis=2) > 25
        spans.append(np.ptp(np.flatnonzero(away.any(axis=0))))
    # A cone of 195 to 212 mm radius at half a pixel a millimetre.
    assert min(spans) >= 190
    assert max(spans) <= 218
    assert np.ptp(spans) <= 6
