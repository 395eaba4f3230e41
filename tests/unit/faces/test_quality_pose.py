from __future__ import annotations

import numpy as np
import pytest

from vnvision.faces.quality.pose import head_pose
from vnvision.imaging.align import template

# An adult's head, mm from the middle of the pupils: x right in the picture, y down, z to the camera.
HEAD = np.array([[-31.5, 0, 0], [31.5, 0, 0], [0, 40, 30], [-26, 72, 5], [26, 72, 5]], float)


def seen(yaw, pitch, roll, *, scale=0.7, head=HEAD, away_mm=None):
    """Landmarks of a head turned by angles in degrees, from afar or from ``away_mm``."""
    y, p, r = np.deg2rad([yaw, pitch, roll])
    # Looking up moves what is in front of the axis up, which is towards smaller y.
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    points = (head - head.mean(axis=0)) @ (lean @ turn @ nod).T
    flat = points[:, :2] if away_mm is None else points[:, :2] / (1 - points[:, 2:] / away_mm)
    return scale * flat + [120, 80]


@pytest.mark.parametrize("yaw", [-60, -25, 0, 10, 45])
@pytest.mark.parametrize("pitch", [-40, 0, 15])
@pytest.mark.parametrize("roll", [-170, -30, 0, 90])
def test_a_projected_head_comes_back_at_its_pose(yaw, pitch, roll):
    pose = head_pose(seen(yaw, pitch, roll))
    assert (pose.yaw_deg, pose.pitch_deg, pose.roll_deg) == pytest.approx((yaw, pitch, roll), abs=0.01)
    assert pose.misfit == pytest.approx(0, abs=1e-6)


def test_signs_as_seen_in_the_picture():
    ahead = seen(0, 0, 0)
    right = ahead.copy()
    right[2, 0] += 8
    up = ahead.copy()
    up[2, 1] -= 6
    assert head_pose(right).yaw_deg > 5
    assert head_pose(up).pitch_deg > 5
    clockwise = ahead.copy()
    clockwise[1, 1] += 10
    clockwise[0, 1] -= 10
    assert head_pose(clockwise).roll_deg > 5


def test_size_place_and_perspective_do_not_matter_much():
    near = head_pose(seen(20, -10, 5, scale=5.0))
    assert (near.yaw_deg, near.pitch_deg, near.roll_deg) == pytest.approx((20, -10, 5), abs=0.01)
    close = head_pose(seen(20, -10, 5, away_mm=600))
    assert (close.yaw_deg, close.pitch_deg, close.roll_deg) == pytest.approx((20, -10, 5), abs=4)


def test_another_nose_changes_angles_by_its_share():
    flat = HEAD * [1, 1, 0.8]
    assert 14 < head_pose(seen(20, 0, 0, head=flat)).yaw_deg < 18
    assert 22 < head_pose(seen(20, 0, 0, head=HEAD * [1, 1, 1.2])).yaw_deg < 26


def test_noise_of_a_pixel_is_a_few_degrees():
    rng = np.random.default_rng(0)
    found = [head_pose(seen(20, 5, 0, scale=35 / 63) + rng.normal(0, 1, (5, 2)))[:3] for _ in range(200)]
    np.testing.assert_allclose(np.mean(found, axis=0), [20, 5, 0], atol=1)
    assert (np.std(found, axis=0) < [6, 6, 2.5]).all()


def test_the_template_looks_nearly_ahead_and_no_face_misfits():
    pose = head_pose(template())
    assert max(abs(angle) for angle in pose[:3]) < 15
    assert pose.misfit < 0.1
    shuffled = head_pose(template()[[3, 1, 4, 0, 2]])
    assert shuffled.misfit > 0.2
    line = head_pose(np.column_stack([np.arange(5.0), np.zeros(5)]))
    assert np.isfinite(line).all()
