"""How a face is lit and photographed: exposure, tint, direction, sharpness, noise. All colours are linear."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vnvision.data.occlusion.head import blurred, skin_points
from vnvision.data.occlusion.pose import Pose

LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
_TO_LINEAR = ((np.arange(256) / 255) ** 2.2).astype(np.float32)
_SKIN_ALBEDO = np.array([0.52, 0.36, 0.27])  # of skin between light and dark: one photograph does not tell
_RIDGE = 0.05
_NO_EDGE = 20.0  # Sobel: half that of a step of ten
_USUAL_BLUR_PX = 0.7
_MEASURING_PX2 = 0.25 + 1 / 3  # variance that measuring adds: the first blur, and the difference's two pixels
_STEEPEST = 0.9
_SHADES = (0.3, 1.45)


@dataclass(frozen=True, slots=True, eq=False)
class Light:
    """The light on a face, and the camera.

    Attributes:
        colour: (3,) what a white surface looks like that faces where the face does, linear RGB.
        slope: (3,) change of brightness with the surface's normal, camera axes.
        mean_normal: (3,) where brightness is 1.
        blur_px: standard deviation of the picture's blur.
        noise: standard deviation of the picture's noise, in steps of 255.
        saturation: 0 for a grey picture, 1 for an ordinary one.
    """

    colour: np.ndarray
    slope: np.ndarray
    mean_normal: np.ndarray
    blur_px: float
    noise: float
    saturation: float = 1.0

    @property
    def towards(self) -> np.ndarray:
        """(3,) unit vector to the light, camera axes; from the front and above where nothing is known."""
        direction = self.slope + np.array([0.0, -0.25, 0.35])
        return np.asarray(direction / np.linalg.norm(direction))

    def shade(self, normals: np.ndarray) -> np.ndarray:
        """Brightness of surfaces with unit normals (..., 3) in camera axes: (...)."""
        return np.asarray(np.clip(1 + (normals - self.mean_normal) @ self.slope, *_SHADES))


def to_linear(image: np.ndarray) -> np.ndarray:
    """uint8 -> linear float32, 0 to 1."""
    return _TO_LINEAR[image]


def to_encoded(linear: np.ndarray) -> np.ndarray:
    """Linear float32 -> 0 to 255 float32, not rounded."""
    encoded: np.ndarray = 255 * np.clip(linear, 0, 1) ** np.float32(1 / 2.2)
    return encoded


def albedo(*rgb: int) -> np.ndarray:
    """A colour as one names it, 0 to 255, as linear reflectance (3,) float64."""
    return (np.asarray(rgb) / 255.0) ** 2.2


def estimate_light(image: np.ndarray, pose: Pose) -> Light:
    """Light from the skin: its mean is the exposure, its change over the face the direction.

    A plane is fitted to brightness over surface normals at up to fifteen places of skin, with a ridge; places
    far from the median (hair, glare) count little.

    Args:
        image: (H, W, 3) uint8 RGB.
        pose: of its face.
    """
    soft = blurred(image, max(0.3, 4 * pose.scale))
    places, normals = skin_points(pose)
    at = np.rint(places).astype(int)
    height, width = image.shape[:2]
    kept = (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    if kept.sum() < 3:
        kept, at = np.ones(len(at), bool), np.clip(at, 0, [width - 1, height - 1])
    at, normals = at[kept], normals[kept]
    skin = to_linear(soft[at[:, 1], at[:, 0]]).astype(np.float64)
    luma = skin @ LUMA + 1e-4
    middle = float(np.median(luma))
    weight = 1 / (1 + (np.log(luma / middle) / 0.5) ** 4)
    weight /= weight.sum()
    mean_normal, mean_luma = weight @ normals, float(weight @ luma)
    off = normals - mean_normal
    normal_matrix = (off * weight[:, None]).T @ off + _RIDGE * np.eye(3)
    slope = np.linalg.solve(normal_matrix, (off * weight[:, None]).T @ (luma / mean_luma - 1))
    slope *= min(1.0, _STEEPEST / max(float(np.linalg.norm(slope)), 1e-6))
    blur_px, noise = sharpness(image, pose)
    usual = weight @ skin
    chroma = float(np.ptp(usual) / max(usual.max(), 1e-4))
    saturation = float(np.clip((chroma - 0.03) / 0.15, 0, 1))
    white = _white(image, usual)
    white = white @ LUMA + (white - white @ LUMA) * saturation
    return Light(white, slope, mean_normal, blur_px, noise, saturation)


def _white(image: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """What white would look like: between what the skin and what the brightest of the picture suggest."""
    from_skin = skin / _SKIN_ALBEDO
    level = float(from_skin @ LUMA)
    tint = from_skin / max(level, 1e-4)
    bright = float(np.quantile(to_linear(image[::4, ::4]) @ LUMA, 0.95))
    level = max(level, 0.6 * min(bright, 1.5 * level))
    tint = np.clip(tint, 0.6, 1.6) ** 0.4
    return np.asarray(np.clip(level, 0.02, 1.15) * tint / float(tint @ LUMA))


def sharpness(image: np.ndarray, pose: Pose) -> tuple[float, float]:
    """Blur and noise of the picture around a face, as standard deviations: pixels, and steps of 255.

    Blur: edges blurred by s lose strength by sqrt(1 + s0^2 / s^2) when blurred once more by s0 (Zhuo and Sim
    2011, "Defocus map estimation from a single image", Pattern Recognition 44(9), 1852-1858), here over the
    strongest edges. Noise: Immerkaer 1996, "Fast noise variance estimation", CVIU 64(2), 300-302, over the
    smooth half, because texture is not noise.
    """
    centre, reach = pose.shift_px, max(12.0, 75 * pose.scale)
    low = np.clip(np.rint(centre - reach * np.array([1, 0.7])).astype(int), 0, None)
    high = np.rint(centre + reach * np.array([1, 1.5])).astype(int)
    part = image[low[1] : max(high[1], low[1] + 8), low[0] : max(high[0], low[0] + 8)]
    if min(part.shape[:2]) < 8:
        part = image
    grey = np.asarray(part, np.float32) @ LUMA
    once, twice = (_gradient(blurred(grey, sigma)) for sigma in (0.5, np.hypot(0.5, 1.0)))
    steepest = float(np.quantile(once, 0.995))
    edges = once >= 0.7 * steepest
    ratio = float(np.median(once[edges] / np.maximum(twice[edges], 1e-3)))
    blur = float(np.sqrt(max(1 / max(ratio**2 - 1, 1e-2) - _MEASURING_PX2, 0.0)))
    if steepest < _NO_EDGE:
        blur = _USUAL_BLUR_PX
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    bumps = np.abs(cv2.filter2D(grey, -1, kernel))
    smooth = once <= np.median(once)
    noise = float(np.sqrt(np.pi / 2) / 6 * bumps[smooth].mean())
    return min(blur, 0.12 * reach), min(noise, 8.0)


def _gradient(grey: np.ndarray) -> np.ndarray:
    return np.asarray(cv2.magnitude(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)))
