"""Measures of one face picture, after ISO/IEC 29794-5 (face image quality), whose text was not consulted.

All look at one aligned crop of fixed size, so that they do not depend on how large the face is; its size is a
measure of its own.
"""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.faces.quality.crop import FaceCrop, cut, in_picture
from vnvision.faces.quality.exposure import exposure
from vnvision.faces.quality.pose import head_pose
from vnvision.faces.quality.regions import HEAD_PLACES
from vnvision.faces.quality.visibility import visibility
from vnvision.records import Face

_FLOOR = 0.05  # grey levels; keeps a flat crop finite


def sharpness(crop: FaceCrop) -> float:
    """Strength of the finest detail over that of the next coarser, 0 or more; no unit.

    Standard deviations over the face of what a Gaussian of 1 pixel takes away, and of what one of 2 pixels
    takes away further, in the 112-pixel crop. Not changed by gain or offset. A picture that was scaled up
    lacks the finest detail whatever its size in pixels, so that it counts as blurred. 0.55 to 1 for sharp
    photographs; a third is left where both scales see smooth slopes only. Noise and JPEG blocks raise it.
    """
    luma = crop.luma.astype(np.float32)
    once = cv2.GaussianBlur(luma, (0, 0), 1.0)
    twice = cv2.GaussianBlur(luma, (0, 0), 2.0)
    fine = float((luma - once).ravel()[crop.shown].std())
    middle = float((once - twice).ravel()[crop.shown].std())
    return fine / (middle + _FLOOR)


def inter_eye_distance_px(landmarks_px: np.ndarray) -> float:
    """Distance of the eyes in pixels of the picture. Shrinks as the head turns."""
    x, y = landmarks_px[1] - landmarks_px[0]
    return float(np.hypot(x, y))


def completeness(crop: FaceCrop) -> float:
    """Share of a head, drawn as an ellipse from hair to chin around the landmarks, that is in the picture."""
    return float(in_picture(HEAD_PLACES, crop.to_crop, crop.image_size_px).mean())


def measure_values(image: np.ndarray, face: Face) -> dict[str, float]:
    """Every measure of one face, by name; see ``exposure``, ``visibility`` and ``head_pose`` for the others.

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3) uint8, grey or RGB.
        face: found in this image.

    Raises:
        DataError: the image is not such an array, or the landmarks do not span a face in it.
    """
    crop = cut(image, face)
    pose = head_pose(crop.landmarks_px)
    return {
        "sharpness": sharpness(crop),
        **exposure(crop),
        "inter_eye_distance_px": inter_eye_distance_px(crop.landmarks_px),
        **pose._asdict(),
        "completeness": completeness(crop),
        **visibility(crop),
        "detector_score": face.score,
    }
