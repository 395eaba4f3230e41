"""From a picture file to the model's size, with numpy and OpenCV: step 1 and 2 of README.md."""

import math
from pathlib import Path

import cv2
import numpy as np
from model import KitError

RESIZE = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "bilinear": cv2.INTER_LINEAR,
    "bicubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
TEMPLATE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
            (70.7299, 92.2041))  # fmt: skip


def read(path):
    """A picture file -> (H, W, 3) RGB uint8: upright, transparency on white, 16 bits brought to 8."""
    try:
        data = np.frombuffer(Path(path).read_bytes(), np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
        clear = picture is not None and picture.ndim == 3 and picture.shape[2] == 4
        if not clear:
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) if data.size else None
    except OSError as exc:
        raise KitError(f"cannot read {path}: {exc.strerror}") from exc
    except cv2.error as exc:
        raise KitError(f"cannot read {path}: it is no picture, or damaged") from exc
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        raise KitError(f"cannot read {path}: it is no picture of 8 or 16 bits, or damaged")
    if clear:
        white = int(np.iinfo(picture.dtype).max)
        colour, alpha = picture[..., :3].astype(np.uint64), picture[..., 3:].astype(np.uint64)
        picture = ((colour * alpha + white * (white - alpha) + white // 2) // white).astype(picture.dtype)
    if picture.dtype == np.uint16:
        picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def place(picture, spec, landmarks=None):
    """A picture at the model's size.

    ``picture`` is (H, W, 3) RGB or (H, W, 1) grey, uint8; ``landmarks`` five points (x, y) of a face: eye on
    the left of the picture, other eye, nose tip, mouth corner on the left, other corner. Gives the crop
    (h, w, C), RGB or grey, and where it lies: ``crop = picture * scale + offset``, x before y; of strips that
    is where their stack lies.
    """
    (h, w), flag = spec["size_px"], RESIZE[spec["interpolation"]]
    if spec["geometry"] == "strips":
        picture = _stacked(picture)
    if spec["colour"] == "grey" and picture.shape[2] == 3:
        picture = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[:, :, None]
    tall, wide = picture.shape[:2]
    inner, top, left = _inner(spec, tall, wide)
    if spec["geometry"] == "align" and landmarks is not None:
        crop = _aligned(picture, landmarks, spec, flag)
    elif spec["geometry"] in ("none", "align") and (tall, wide) != (h, w):
        raise KitError(f"the picture must be {h} x {w} (height x width) already, it is {tall} x {wide}")
    else:
        crop = picture
        if inner != (tall, wide):
            crop = cv2.resize(picture, inner[::-1], interpolation=flag).reshape(*inner, -1)
        if spec["geometry"] == "letterbox":
            canvas = np.full((h, w, crop.shape[2]), spec["pad_value"], np.uint8)
            canvas[top : top + inner[0], left : left + inner[1]] = crop
            crop = canvas
        elif spec["geometry"] == "crop":
            crop = crop[-top : h - top, -left : w - left]
    if spec["colour"] != "grey" and crop.shape[2] == 1:
        crop = np.repeat(crop, 3, axis=2)
    return crop, (inner[1] / wide, inner[0] / tall), (left, top)


def _stacked(picture):
    """A long picture, its top turned to the left, as round(sqrt(aspect)) strips under each other."""
    short, long = sorted(picture.shape[:2])
    count = (math.isqrt(4 * long // short) + 1) // 2
    if count == 1:
        return picture
    lying = np.rot90(picture) if picture.shape[0] > picture.shape[1] else picture
    side = math.ceil(long / count)
    starts = [i * (long - side) // (count - 1) for i in range(count)]
    return np.concatenate([lying[:, x : x + side] for x in starts])


def _inner(spec, tall, wide):
    """Size that a picture is resized to, and where its corner comes to lie: top, left."""
    h, w = spec["size_px"]
    if spec["geometry"] == "letterbox":
        scale = min(h / tall, w / wide)
        inner = max(1, round(tall * scale)), max(1, round(wide * scale))
        return inner, (h - inner[0]) // 2, (w - inner[1]) // 2
    if spec["geometry"] == "crop":
        y, x = (math.floor(side / spec["crop_pct"]) for side in (h, w))
        inner = (y, max(x, wide * y // tall)) if y * wide >= x * tall else (max(y, tall * x // wide), x)
        return inner, -round((inner[0] - h) / 2), -round((inner[1] - w) / 2)
    return (h, w), 0, 0


def _aligned(picture, landmarks, spec, flag):
    """The face whose landmarks are brought onto the template by a similarity (Umeyama 1991, eq. 40 to 43)."""
    h, w = spec["size_px"]
    source, scale = np.asarray(landmarks, np.float64), min(h, w) / 112
    if source.shape != (5, 2) or not np.isfinite(source).all():
        raise KitError("landmarks must be five points x, y")
    target = np.array(TEMPLATE) * scale + (np.array([w, h]) - scale * 112) / 2
    centred, spread = source - source.mean(0), source.var(0).sum()
    if spread < 1e-6:
        raise KitError("landmarks must be five different points")
    u, d, vt = np.linalg.svd((target - target.mean(0)).T @ centred / 5)
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    turn = (u * sign) @ vt * ((d * sign).sum() / spread)
    matrix = np.column_stack([turn, target.mean(0) - turn @ source.mean(0)])
    edge = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": (spec["pad_value"],) * 4}
    return cv2.warpAffine(picture, matrix, (w, h), flags=flag, **edge).reshape(h, w, -1)
