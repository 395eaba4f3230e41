"""A detector and an embedder whose answers are written into the picture: every similarity is known.

Row 0 of a picture holds the number of faces, then one pixel a face: person, photo and box side in pixels.
"""

import cv2
import numpy as np

from vnvision.faces.engine import FaceEngine
from vnvision.records import Face

SIZE = 16
GOOD = {
    "score": 90.0,
    "bright_level": 0.9,
    "under_exposed": 0.0,
    "over_exposed": 0.0,
    "evenness": 0.9,
    "sharpness": 0.9,
    "contrast": 0.5,
    "inter_eye_distance_px": 80.0,
    "yaw_deg": 0.0,
    "pitch_deg": 0.0,
    "roll_deg": 0.0,
    "completeness": 1.0,
    "mouth_visibility": 1.0,
    "eye_visibility": 1.0,
    "detector_score": 0.95,
}


def shot(*faces, px=48):
    """A picture (px, px, 3) of faces, each ``person`` or ``(person, photo)`` or ``(person, photo, side)``."""
    image = np.full((px, px, 3), 200, np.uint8)
    image[0, 0] = len(faces)
    for j, one in enumerate(faces, 1):
        given = one if isinstance(one, tuple) else (one,)
        person, photo, side = given + (0, 30)[len(given) - 1 :]
        image[0, j] = person, photo, side
    return image


def save(path, image):
    """Write a picture without loss; returns the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image[:, :, ::-1])
    return path


def template(person, photo=0):
    """(16,) float32 unit-norm: photos of one person have a cosine of about 0.9, of two people far less."""
    base = np.random.default_rng(1000 + person).normal(size=SIZE)
    own = np.random.default_rng(7000 + 256 * person + photo).normal(size=SIZE)
    vector = base / np.linalg.norm(base) + 0.3 * own / np.linalg.norm(own)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


class PlantedDetector:
    """Reads the boxes out of row 0; remembers how many pictures and pixels came at once."""

    def __init__(self):
        self.batches, self.closed = [], False

    def detect(self, images):
        self.batches.append([image.shape[:2] for image in images])
        return [tuple(self._face(image, j) for j in range(1, 1 + int(image[0, 0, 0]))) for image in images]

    @staticmethod
    def _face(image, j):
        side = float(image[0, j, 2])
        points = ((float(j), 0.0), *((float(k), 1.0) for k in range(4)))
        return Face(box_xyxy_px=(0, 0, side, side), landmarks_px=points, score=0.9)

    def close(self):
        self.closed = True


class PlantedEmbedder:
    """Unit vectors by person and photo."""

    size = SIZE
    fingerprint = "planted-v1"

    def __init__(self):
        self.batches, self.closed = [], False

    def align(self, image, faces):
        crops = np.zeros((len(faces), 112, 112, 3), np.uint8)
        for crop, face in zip(crops, faces, strict=True):
            crop[:] = image[0, int(face.landmarks_px[0][0])]
        return crops

    def embed(self, crops):
        self.batches.append(len(crops))
        rows = [template(int(crop[0, 0, 0]), int(crop[0, 0, 1])) for crop in crops]
        return np.array(rows, np.float32).reshape(len(crops), SIZE)

    def close(self):
        self.closed = True


def planted_engine(**options):
    """A ``FaceEngine`` over both."""
    return FaceEngine(detector=PlantedDetector(), embedder=PlantedEmbedder(), **options)
