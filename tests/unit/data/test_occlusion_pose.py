"""Poses and the picture's own light, against planted ones."""

import cv2
import numpy as np
import pytest

from vnvision.data.occlusion.head import blurred
from vnvision.data.occlusion.light import estimate_light, sharpness
from vnvision.data.occlusion.person import person_mask
from vnvision.data.occlusion.pose import LANDMARKS_MM, solve_pose
from vnvision.errors import DataError


def turned(yaw_deg, pitch_deg=0.0, roll_deg=0.0):
    """Rotation written with OpenCV's: yaw about y, then pitch about x, then roll about z."""
    # x right, y down, z towards the camera is a left-handed set: two of the three turns change their sign.
    turns = [(0, yaw_deg, 0), (-pitch_deg, 0, 0), (0, 0, roll_deg)]
    yaw, pitch, roll = (cv2.Rodrigues(np.radians(np.array(t, float)))[0] for t in turns)
    return roll @ pitch @ yaw


def seen(points_mm, rotation, scale=0.8, at=(128.0, 100.0)):
    return scale * (np.asarray(points_mm, float) @ rotation.T)[..., :2] + np.array(at)


@pytest.mark.parametrize("yaw", [-55, -30, 0, 20, 45])
@pytest.mark.parametrize(("pitch", "roll"), [(0, 0), (12, 25), (-10, -80)])
def test_planted_pose_comes_back(yaw, pitch, roll):
    pose = solve_pose(seen(LANDMARKS_MM, turned(yaw, pitch, roll)))
    # The preference for looking ahead pulls a little, most at far turns.
    assert np.degrees(pose.yaw_rad) == pytest.approx(yaw, abs=3.5)
    assert np.degrees(pose.pitch_rad) == pytest.approx(pitch, abs=3.5)
    assert np.degrees(pose.roll_rad) == pytest.approx(roll, abs=3.0)
    assert pose.scale == pytest.approx(0.8, rel=0.05)


def test_noise_of_the_landmarks_moves_the_pose_little():
    rng = np.random.default_rng(0)
    points = seen(LANDMARKS_MM, turned(25))
    found = [np.degrees(solve_pose(points + rng.normal(0, 0.8, (5, 2))).yaw_rad) for _ in range(20)]
    assert abs(np.mean(found) - 25) < 3
    assert np.std(found) < 4


def test_projection_passes_near_the_found_landmarks():
    points = seen(LANDMARKS_MM, turned(20, 5, 10)) + np.array([[2, 0], [-1, 1], [0, 2], [1, -2], [0, 1]])
    pose = solve_pose(points)
    away = np.abs(pose.project(LANDMARKS_MM) - points).max()
    assert away < 0.5
    assert away < np.abs(pose.residual_px).max()


def test_bad_landmarks_are_named():
    with pytest.raises(DataError, match=r"landmarks have the wrong shape: expected \(5, 2\), got \(4, 2\)"):
        solve_pose(np.zeros((4, 2)))
    with pytest.raises(DataError, match="a face is too small to draw on: expected landmarks over 4 pixels"):
        solve_pose(np.ones((5, 2)))
    with pytest.raises(DataError, match="landmarks are not finite"):
        solve_pose(np.full((5, 2), np.nan))


def flat_face(level=150, slope=0.0):
    """A wall of skin, brighter to the right by ``slope`` a pixel, landmarks in its middle."""
    points = seen(LANDMARKS_MM, np.eye(3))
    x = np.arange(256) - 128
    luma = np.clip(level + slope * x, 5, 250)
    image = np.stack([luma, luma * 0.8, luma * 0.68], axis=-1)
    return np.broadcast_to(image, (256, 256, 3)).astype(np.uint8).copy(), solve_pose(points)


def test_light_follows_level_and_side():
    bright, dark = (estimate_light(*flat_face(level)) for level in (190, 70))
    assert bright.colour.mean() > 3 * dark.colour.mean()
    right = estimate_light(*flat_face(120, 0.8))
    left = estimate_light(*flat_face(120, -0.8))
    towards_right = np.array([0.5, 0, 0.866])
    assert right.shade(towards_right) > 1.05 > 0.95 > left.shade(towards_right)
    assert right.slope[0] == pytest.approx(-left.slope[0], abs=0.05)


def test_grey_pictures_have_no_saturation():
    image, pose = flat_face()
    assert estimate_light(image, pose).saturation == 1
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    light = estimate_light(grey, pose)
    assert light.saturation == 0
    assert np.ptp(light.colour) < 1e-6


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_blur_of_edges_is_measured(sigma):
    _, pose = flat_face()
    image = np.full((256, 256, 3), 60, np.uint8)
    image[:, 128:] = 180
    blur, noise = sharpness(cv2.GaussianBlur(image, (0, 0), sigma), pose)
    assert blur == pytest.approx(sigma, rel=0.25)
    assert noise < 0.5


@pytest.mark.parametrize("sigma", [2.0, 5.0])
def test_noise_is_measured(sigma):
    image, pose = flat_face()
    noisy = image + np.random.default_rng(0).normal(0, sigma, image.shape[:2])[..., None]
    _, noise = sharpness(np.clip(np.rint(noisy), 0, 255).astype(np.uint8), pose)
    assert noise == pytest.approx(sigma, rel=0.35)


@pytest.mark.parametrize("sigma", [0.1, 5.0, 30.0])
def test_wide_blurs_on_a_smaller_copy_are_blurs(sigma):
    layer = np.random.default_rng(0).random((160, 200)).astype(np.float32)
    layer[:80] += 2
    wanted = layer
    if sigma > 0.2:
        wanted = cv2.GaussianBlur(layer, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    np.testing.assert_allclose(blurred(layer, sigma), wanted, atol=0.08)


def test_the_person_is_found_by_colour_where_the_guess_is_wrong():
    rng = np.random.default_rng(0)
    truth = np.zeros((256, 256), np.uint8)
    cv2.ellipse(truth, (128, 105), (62, 86), 0, 0, 360, 1, -1)
    body = [[108, 170], [148, 170], [160, 200], [256, 215], [256, 256], [0, 256], [0, 215], [96, 200]]
    cv2.fillPoly(truth, [np.array(body)], 1)
    image = np.where(truth[..., None] > 0, (150, 110, 95), (90, 130, 190)) + rng.normal(0, 6, (256, 256, 3))
    pose = solve_pose(seen(LANDMARKS_MM, np.eye(3)))
    found = person_mask(np.clip(image, 0, 255).astype(np.uint8), pose) > 0.5
    assert (found & (truth > 0)).sum() / (found | (truth > 0)).sum() > 0.93
