"""Find, align, embed and compare faces with numpy, OpenCV and one engine.

    from face_chain import Chain, read, similarity

    chain = Chain()
    (one, *_), (other, *_) = chain.faces(read("a.jpg")), chain.faces(read("b.jpg"))
    same = similarity(one, other) >= chain.threshold()

All numbers are in manifest.json. First run self_test.py: it shows that this machine gives the original's
answers. A ``Chain`` serves one thread at a time.
"""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).resolve().parent
RESIZE = {"nearest": cv2.INTER_NEAREST_EXACT, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC}
COARSE = int(cv2.__version__.split(".")[0]) < 5  # its warps round places to 1/32 of a pixel
LARGEST = 32766  # sides in pixels: OpenCV keeps source places of a warp in 16 bits


class FaceChainError(Exception):
    """What cannot be done, in one line."""


@dataclass(frozen=True)
class Face:
    """One face, in pixels of its picture.

    box: (4,) x0, y0, x1, y1; may reach over the picture's edge. landmarks: (5, 2) x, y: eye left in the
    picture, eye right, nose, mouth corner left, right. score: 0 to 1. embedding: (D,), of length 1, or None.
    """

    box: np.ndarray
    landmarks: np.ndarray
    score: float
    embedding: np.ndarray = None

    @property
    def area(self):
        """Of the box, in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


Network = None  # write_face_kit puts the kit's engine here


class Chain:
    """Detector and embedder of the kit in ``folder``; ``threads`` for one inference."""

    def __init__(self, folder=HERE, threads=1):
        folder = Path(folder)
        self.about = manifest(folder)
        self.how, self.spec = self.about["detector"], self.about["embedder"]
        nets = [self.open(folder, self.about[name], threads) for name in ("detector", "embedder")]
        self.detector, self.embedder = nets
        (low, high), levels = self.spec["input_range"], np.arange(256, dtype=np.float64)
        pairs = zip(self.spec["mean"], self.spec["std"], strict=True)
        unit = (levels - low) / (high - low)
        self.table = np.stack([((unit - mean) / std).astype(np.float32) for mean, std in pairs])

    def open(self, folder, about, threads):
        """A network, from files that are those that were proven."""
        for name in about["files"]:
            if sha256(folder / name) != self.about["files"][name]:
                raise FaceChainError(f"{folder / name} is not the file that was proven; copy the kit again")
        try:
            return Network(folder, about, threads)
        except ImportError as exc:
            wanted = self.about["proven_with"][self.about["engine"]]
            raise FaceChainError(f"{exc}; pip install '{wanted}'") from exc

    def faces(self, picture):
        """RGB picture (H, W, 3) uint8 -> its faces with their embeddings, the most certain first."""
        found = self.detect(picture)
        if not found:
            return []
        crops = np.stack([self.align(picture, face.landmarks) for face in found])
        return [replace(f, embedding=e) for f, e in zip(found, self.embed(crops), strict=True)]

    def detect(self, picture):
        """Faces without embeddings; where nothing is found, a second look with a grey border around."""
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
            raise FaceChainError(f"a picture is (H, W, 3) uint8 RGB, not {picture.shape} {picture.dtype}")
        return self.look(picture, 0.0) or self.look(picture, self.how["second_look_border"])

    def look(self, picture, border):
        """Faces of a picture that is shrunk, framed and padded to whole cells, at its top left."""
        sides, cell = np.array(picture.shape[:2]), self.how["multiple_px"]
        scale = min(1.0, self.how["max_side_px"] / (sides.max() * (1 + 2 * border)))
        tall, wide = (max(1, round(side * scale)) for side in sides.tolist())
        small = picture
        if scale < 1:
            small = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_AREA)
        top, left = round(border * tall), round(border * wide)
        size = [-(-side // cell) * cell for side in (tall + 2 * top, wide + 2 * left)]
        batch = np.full((1, 3, *size), self.how["border_level"] if border else 0, np.float32)
        batch[0, :, top : top + tall, left : left + wide] = small[:, :, ::-1].transpose(2, 0, 1)  # blue first
        scores, boxes, points = self.decode(self.detector(batch), size)
        best = cv2.dnn.NMSBoxes(
            [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1 in boxes.tolist()], scores.tolist(),
            self.how["min_score"], self.how["overlap"],
        )  # fmt: skip
        corner, axes = np.array([left, top]), np.array([wide, tall]) / sides[::-1]
        kept = np.sort(np.asarray(best, np.int64).reshape(-1))
        boxes = ((boxes.reshape(-1, 2, 2) - corner) / axes).reshape(-1, 4)
        points = (points - corner) / axes
        return [Face(boxes[k], points[k], float(scores[k])) for k in kept]

    def decode(self, maps, size):
        """Outputs of one picture -> scores (K,), boxes (K, 4), landmarks (K, 5, 2) in input pixels."""
        cls, seen, box, marks = (np.concatenate([m[0] for m in maps[i : i + 3]]) for i in (0, 3, 6, 9))
        scores = np.sqrt(cls.clip(0, 1) * seen.clip(0, 1))[:, 0]
        places = np.flatnonzero(scores >= self.how["min_score"])
        places = places[np.argsort(-scores[places], kind="stable")][: self.how["max_faces"]]
        cells, strides = [], []
        for stride in self.how["strides"]:
            rows, columns = size[0] // stride, size[1] // stride
            grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
            cells.append(grid.astype(np.float32))
            strides.append(np.full((len(grid), 1), stride, np.float32))
        cell, stride = np.concatenate(cells)[places], np.concatenate(strides)[places]
        centre = (cell + box[places, :2]) * stride
        half = np.exp(np.minimum(box[places, 2:], 20)) * stride / 2
        points = (cell[:, None] + marks[places].reshape(-1, 5, 2)) * stride[:, None]
        return scores[places], np.concatenate([centre - half, centre + half], 1), points

    def align(self, picture, landmarks):
        """The face on the template: (h, w, 3) uint8 RGB. Least squares (Umeyama 1991, equations 40 to 43)."""
        if max(picture.shape[:2]) > LARGEST:
            raise FaceChainError(f"sides of a picture are at most {LARGEST} pixels, not {picture.shape[:2]}")
        source, target = np.asarray(landmarks, np.float64), np.array(self.spec["template_px"])
        middle, aim = source.mean(0), target.mean(0)
        centred = source - middle
        spread = (centred**2).sum() / len(source)
        if not spread > 1e-6:
            raise FaceChainError(f"landmarks do not span a face: {source.tolist()}")
        u, d, vt = np.linalg.svd((target - aim).T @ centred / len(source))
        sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])  # never a mirror image
        turn = (u * sign) @ vt * ((d * sign).sum() / spread)
        matrix = np.column_stack([turn, aim - turn @ middle])
        h, w = self.spec["size_px"]
        if COARSE and self.spec["interpolation"] == "bilinear":
            return cut(picture, matrix, (h, w), self.spec["pad_value"])
        how = {"flags": RESIZE[self.spec["interpolation"]], "borderMode": cv2.BORDER_CONSTANT}
        return cv2.warpAffine(picture, matrix, (w, h), borderValue=(self.spec["pad_value"],) * 4, **how)

    def inputs(self, crops):
        """Crops (N, h, w, 3) uint8 RGB -> what the embedder takes, (N, C, h, w) float32."""
        if self.spec["colour"] == "bgr":
            crops = crops[..., ::-1]
        elif self.spec["colour"] == "grey":
            crops = np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[:, :, None] for crop in crops])
        return np.stack([table[crops[..., c]] for c, table in enumerate(self.table)], axis=1)

    def embed(self, crops):
        """Crops (N, h, w, 3) uint8 RGB -> embeddings (N, D) float32 of length 1."""
        found = []
        for crop in self.inputs(crops):
            views = np.stack([crop, crop[..., ::-1]]) if self.spec["flip_average"] else crop[None]
            found.append(self.embedder(views)[0].sum(0))
        answer = np.stack(found).astype(np.float32)
        return answer / np.linalg.norm(answer, axis=1, keepdims=True)

    def threshold(self, request=None):
        """The cosine from which two faces count as one person.

        request: a number, or a rate as manifest.json lists them: fmr=1e-3, fmr=1e-4@korean. None: the kit's.
        """
        known = self.about["thresholds"]
        if request is None:
            return known["chosen"]["value"]
        try:
            return float(request)
        except ValueError:
            pass
        if request not in known["values"]:
            there = ", ".join(known["values"]) or "none"
            raise FaceChainError(f"no threshold {request!r}; known are {there}, or a number such as 0.42")
        return known["values"][request]


def cut(picture, matrix, size, pad):
    """cv2.warpAffine as OpenCV 5 has it, bilinear at exact places: (h, w, 3) uint8.

    Older ones round the places, by which embeddings turn (cosine down to 0.9998 of a face with itself).
    """
    x, y = np.meshgrid(np.arange(size[1]), np.arange(size[0]))
    back = np.linalg.inv(matrix[:, :2])
    places = (np.stack([x, y], -1) - matrix[:, 2]) @ back.T
    places = places.clip(-2, np.array(picture.shape[1::-1]) + 1)
    first = np.floor(places).astype(int)
    part = (places - first).astype(np.float32)
    right, down = part[..., :1], part[..., 1:]

    def level(dx, dy):
        column, row = first[..., 0] + dx, first[..., 1] + dy
        inside = (column >= 0) & (column < picture.shape[1]) & (row >= 0) & (row < picture.shape[0])
        found = picture[row.clip(0, picture.shape[0] - 1), column.clip(0, picture.shape[1] - 1)]
        return np.where(inside[..., None], found, np.float32(pad))

    top = level(0, 0) * (1 - right) + level(1, 0) * right
    low = level(0, 1) * (1 - right) + level(1, 1) * right
    return np.rint(top * (1 - down) + low * down).astype(np.uint8)


def similarity(one, other):
    """Cosine of two faces, -1 to 1."""
    return float(one.embedding @ other.embedding)


def read(path):
    """An image file -> RGB picture (H, W, 3) uint8, upright as its EXIF says."""
    data = np.fromfile(path, np.uint8) if Path(path).is_file() else np.empty(0, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if picture is None:
        raise FaceChainError(f"cannot read {path}")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def in_a_line(error):
    """What went wrong, in one line; of an engine's own errors with their name."""
    text = " ".join(str(error).split())[:300]
    return text if isinstance(error, FaceChainError) else f"{type(error).__name__}: {text}"


def sha256(path):
    """Hex SHA-256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as exc:
        raise FaceChainError(f"cannot read {path}: {exc.strerror}") from exc


def manifest(folder):
    """The content of manifest.json."""
    try:
        about = json.loads((folder / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise FaceChainError(f"cannot read {folder / 'manifest.json'}: {exc}") from exc
    if about.get("kit") != "vnvision-faces" or about.get("version") != 1:
        raise FaceChainError(f"{folder / 'manifest.json'} is not that of a face kit of version 1")
    return about
