"""Are eyes and mouth to be seen? Proxies from colour and edges, not detectors of glasses or masks.

They say how much a part of the face looks like itself: the lower face has the colour of the skin above it and
a line or a red between the lips; an eye has edges and is not far darker than the skin beside it. A beard, a
hand, a shawl or a profile lowers them as a mask does, and a mask printed with a mouth does not.
"""

from __future__ import annotations

import cv2
import numpy as np

from vnvision.faces.quality.crop import FaceCrop
from vnvision.faces.quality.ramp import ramp
from vnvision.faces.quality.regions import EYES, INNER, LOWER_FACE, MOUTH, UPPER_SKIN, Box, pixels

_LEAST_CHROMA = 6.0  # CIELAB; below it skin has no colour to compare with
_NEUTRAL = np.array([0.0, 128.0, 128.0])  # OpenCV's 8-bit CIELAB: a and b about 128
# From not at all to fully, set by hand on ``masked_faces`` and, for faces without a mask, on LFW,
# ``asianfaces_dev`` and ``utkface_sample``: the rates measured there (training/benchmarks) are not held out.
_SKIN_COLOUR = (0.2, 0.8)
_LIP_RED = (1.0, 7.0)
_MOUTH_EDGE = (0.02, 0.09)
_EYE_EDGE = (0.01, 0.03)
_EYE_LIGHT = (-0.85, -0.65)


def visibility(crop: FaceCrop) -> dict[str, float]:
    """Measures of eyes and mouth, by name.

    Returns:
        mouth_skin_likeness: chroma of the lower face along that of the skin between and under the eyes
            (medians of CIELAB a, b): 1 the same colour, 0 grey, below the opposite hue; 1 in a grey picture.
        lip_redness: 80th percentile of CIELAB a over the mouth less the median of the lower face.
        mouth_edge: median over columns of the mouth of the steepest vertical change of lightness, a pixel,
            over the lightness of the skin: 0 for a plain surface.
        mouth_visibility: 0..1, mean of the colour's ramp and the better of the lips' and the edge's; in a
            grey picture the edge's alone.
        eye_edge: mean change of lightness a pixel over the lightness of the skin, of the weaker eye.
        eye_light: lightness of the eye's box (median) less that of the skin, over the latter, of the darker
            eye; -1 black.
        eye_visibility: 0..1, the lower of both ramps.
    """
    lab = cv2.cvtColor(pixels(crop.rgb, INNER), cv2.COLOR_RGB2LAB).astype(np.float32)
    skin = np.median(np.concatenate([_in(lab, b).reshape(-1, 3) for b in UPPER_SKIN]), axis=0) - _NEUTRAL
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    across = np.abs(cv2.Sobel(smooth[:, :, 0], cv2.CV_32F, 0, 1)) / 8
    along = np.abs(cv2.Sobel(smooth[:, :, 0], cv2.CV_32F, 1, 0)) / 8
    light = float(skin[0]) + 12.0  # of 255; keeps black pictures finite
    values = _mouth(lab, smooth, across, skin, light)
    steep = np.hypot(across, along)
    edges = [float(_in(steep, box).mean()) / light for box in EYES]
    lights = [(float(np.median(_in(lab, box)[:, :, 0])) - float(skin[0])) / light for box in EYES]
    values |= {"eye_edge": min(edges), "eye_light": min(lights)}
    values["eye_visibility"] = min(
        ramp(values["eye_edge"], *_EYE_EDGE), ramp(values["eye_light"], *_EYE_LIGHT)
    )
    return values


def _in(inner: np.ndarray, box: Box) -> np.ndarray:
    """The part of ``INNER``'s pixels in a box of the whole crop."""
    x, y = INNER[:2]
    return pixels(inner, (box[0] - x, box[1] - y, box[2] - x, box[3] - y))


def _mouth(
    lab: np.ndarray, smooth: np.ndarray, across: np.ndarray, skin: np.ndarray, light: float
) -> dict[str, float]:
    lower = np.median(_in(lab, LOWER_FACE).reshape(-1, 3), axis=0) - _NEUTRAL
    chroma = float(skin[1:] @ skin[1:])
    coloured = chroma >= _LEAST_CHROMA**2
    likeness = float(lower[1:] @ skin[1:]) / chroma if coloured else 1.0
    red = float(np.percentile(_in(smooth, MOUTH)[:, :, 1], 80) - _NEUTRAL[1] - lower[1])
    edge = float(np.median(_in(across, MOUTH).max(axis=0))) / light
    lips = ramp(edge, *_MOUTH_EDGE)
    seen = (ramp(likeness, *_SKIN_COLOUR) + max(lips, ramp(red, *_LIP_RED))) / 2 if coloured else lips
    return {"mouth_skin_likeness": likeness, "lip_redness": red, "mouth_edge": edge, "mouth_visibility": seen}
