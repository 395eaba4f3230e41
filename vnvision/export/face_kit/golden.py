"""What a face kit has to answer: drawn pictures, and what vnvision's own chain says to them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from vnvision.engines import Engine
from vnvision.errors import ExportError
from vnvision.export import faults
from vnvision.export.face_kit.drawing import drawn_face
from vnvision.export.face_kit.embedders import KitEmbedder
from vnvision.export.golden import golden_images
from vnvision.faces.detector import YuNet
from vnvision.records import Face
from vnvision.spec import PreprocessSpec

_PATCH_PX = 192  # whole cells of the detector
_PATTERNS = 4


def pictures() -> list[np.ndarray]:
    """Drawn pictures (H, W, 3) uint8 RGB, each for one way through the chain.

    One face; two, tilted, one of them over the edge; a face that fills its picture, found by the second
    look only; a picture that is shrunk; one without a face.
    """
    one = _scene(256, 320, (24, 40, drawn_face(0, 200)))
    two = _scene(
        288, 416, (40, 16, drawn_face(1, 192, tilt_deg=14)), (96, 256, drawn_face(2, 192, tilt_deg=-11))
    )
    close = drawn_face(3, 420, grain=0)[168:302, 151:268]
    large = cv2.resize(drawn_face(4, 240, grain=0), (900, 900), interpolation=cv2.INTER_LINEAR)
    empty = golden_images(None, PreprocessSpec(size_px=(160, 224)), 2, seed=5)[1]
    return [one, two, close, large[:, 100:800], empty]


def golden_arrays(
    detector: YuNet, detector_net: Engine, embedder: KitEmbedder, further: Sequence[np.ndarray] = ()
) -> dict[str, np.ndarray]:
    """The content of ``golden.npz``.

    The chain's answers come from vnvision's detector and embedder, the raw ones from the original networks in
    ONNX Runtime, on inputs computed by the formula of the preprocessing.

    Args:
        detector: on ONNX Runtime, with the settings that the kit declares.
        detector_net: the original detector's network in ONNX Runtime.
        embedder: what the kit embeds with.
        further: more pictures, (H, W, 3) uint8 RGB, whatever they show.

    Returns:
        ``picture_I`` (H, W, 3) uint8 with ``faces_I`` (K, 15) float64 (box, landmarks, score); of all these
        faces in turn ``embeddings`` (F, D) float32; ``images`` (F + M, h, w, 3) uint8, the crops of these
        faces and patterns, with the embedder's ``outputs`` (F + M, D) float32; ``patches``
        (N, 192, 192, 3) uint8 with the detector's outputs ``map_00`` to ``map_11``.

    Raises:
        ExportError: a picture does not give the faces that were drawn: the networks are not the right ones.
    """
    drawn = pictures()
    images = [*drawn, *further]
    found = detector.detect(images)
    counts = [len(faces) for faces in found[: len(drawn)]]
    if counts != [1, 2, 1, 1, 0]:
        got = ", ".join(map(str, counts))
        raise ExportError("the detector does not find the drawn faces", expected="1, 2, 1, 1, 0", got=got)
    arrays: dict[str, np.ndarray] = {}
    for number, (image, faces) in enumerate(zip(images, found, strict=True)):
        arrays |= {f"picture_{number}": image, f"faces_{number}": _rows(faces)}
    pairs = zip(images, found, strict=True)
    crops = np.concatenate([embedder.run.align(image, faces) for image, faces in pairs if faces])
    patterns = golden_images(None, PreprocessSpec(size_px=embedder.spec.size_px), _PATTERNS)
    inside = np.concatenate([crops, patterns])
    inputs = faults.correct(_coloured(inside, embedder.spec), embedder.spec)
    outputs = np.concatenate([embedder.net.run(row[None])[0] for row in inputs])
    arrays |= {"embeddings": embedder.run.embed(crops), "images": inside, "outputs": outputs}
    return arrays | _maps(detector_net)


def _maps(detector_net: Engine) -> dict[str, np.ndarray]:
    spec = PreprocessSpec(size_px=(_PATCH_PX, _PATCH_PX))
    faces = [drawn_face(0, _PATCH_PX), drawn_face(1, _PATCH_PX, tilt_deg=14)]
    patches = np.stack([*faces, *golden_images(None, spec, 2)])
    # The network takes blue first, from 0 to 255.
    outputs = detector_net.run(np.ascontiguousarray(patches[..., ::-1].transpose(0, 3, 1, 2), np.float32))
    return {"patches": patches, **{f"map_{i:02d}": values for i, values in enumerate(outputs)}}


def _coloured(crops: np.ndarray, spec: PreprocessSpec) -> np.ndarray:
    """RGB crops, or for a grey embedder their luma (N, h, w, 1)."""
    if spec.colour != "grey":
        return crops
    return np.stack([cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)[..., None] for crop in crops])


def _rows(faces: tuple[Face, ...]) -> np.ndarray:
    values = [[*face.box_xyxy_px, *np.ravel(face.landmarks_px), face.score] for face in faces]
    return np.array(values, np.float64).reshape(-1, 15)


def _scene(height: int, width: int, *placed: tuple[int, int, np.ndarray]) -> np.ndarray:
    """A plain ground with pictures put at (top, left), cut off at the edge."""
    scene = np.full((height, width, 3), (168, 190, 206), np.uint8)
    for top, left, picture in placed:
        room = scene[top : top + picture.shape[0], left : left + picture.shape[1]]
        room[:] = picture[: room.shape[0], : room.shape[1]]
    return scene
