"""ONNX embedders in the arcface_torch layout: exports of arcface_torch, recognition models of insightface."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vnvision import atomic
from vnvision.engines import Engine, EngineName, available_engines, open_engine
from vnvision.errors import ConfigError, DataError, MissingExtraError, ModelError, VnvisionError
from vnvision.imaging import Preprocessor
from vnvision.imaging.align import TEMPLATE_PX
from vnvision.records import Face
from vnvision.spec import PreprocessSpec

_SIDE = TEMPLATE_PX
_SPAN = (0.25, 32.0)  # what 0 to 255 may become: 2 for (x - 127.5) / 127.5, 0.016 where that is done twice


class ArcFaceOnnx:
    """Crops on the ArcFace template to unit-norm embeddings, by any network of this layout.

    How pixels become the network's input (N or 1, 3, 112, 112) is declared, never guessed. The file is
    checked against that as far as it shows: layout, size, and scaling inside the graph, so that nothing is
    scaled twice or not at all. Channel order leaves no trace in a file: it is as declared.

    Source: Deng et al. 2019, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR.

    Args:
        path: the ONNX file.
        mean_px, std_px: the input is ``(x - mean_px) / std_px``, x from 0 to 255; defaults of arcface_torch.
        colour: channel order of the input.
        normalised_inside: the graph does that itself and takes 0 to 255; mean_px and std_px are not used.
        flip: average with the mirror image.
        engine, threads: see ``open_engine``; None takes the first engine installed.
        batch_size: crops a call of the network; files exported for one crop take them in turn.

    Attributes:
        size: length of an embedding.
        fingerprint: SHA-256 of the weights and fingerprint of the preprocessing.

    Raises:
        ModelError: the file is missing, damaged, or of another layout.
        ConfigError: the graph does not scale as declared, or batch_size is below 1.
        MissingExtraError: onnx is not installed.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        mean_px: float = 127.5,
        std_px: float = 127.5,
        colour: Literal["rgb", "bgr"] = "rgb",
        normalised_inside: bool = False,
        flip: bool = False,
        engine: EngineName | None = None,
        threads: int | None = None,
        batch_size: int = 32,
    ) -> None:
        if batch_size < 1 or std_px <= 0 or colour not in ("rgb", "bgr"):
            raise ConfigError(
                "the embedder's settings are wrong",
                expected="batch_size from 1, std_px above 0, colour rgb or bgr",
                got=f"{batch_size}, {std_px}, {colour}",
            )
        mean, std = (0.0, 1.0) if normalised_inside else (mean_px, std_px)
        self.path, self.flip, self.colour = Path(path), flip, colour
        self._preprocessor = Preprocessor(
            PreprocessSpec(
                size_px=(_SIDE, _SIDE),
                geometry="align",
                mean=(mean / 255,) * 3,
                std=(std / 255,) * 3,
                flip_average=flip,
            )
        )
        # Crops stay RGB whatever the network takes; its order still belongs to the fingerprint.
        spec = self._preprocessor.spec.model_copy(update={"colour": colour})
        self._engine = open_engine(self.path, engine or available_engines()[0], threads=threads)
        try:
            model = _graph(self.path, self._engine.input_shape)
            _check_scaling(self.path, model, std, normalised_inside)
            self.fingerprint = f"{_weights_sha256(self.path, model)}:{spec.fingerprint()}"
            self.size, many = _probe(self.path, self._engine, self._preprocessor)
            self.batch_size = batch_size if many else 1
        except VnvisionError:
            self._engine.close()
            raise

    def align(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """Cut faces out onto the template: (K, 112, 112, 3) uint8 RGB, in the order given."""
        crops = [self._preprocessor.geometry(image, face.landmarks_px) for face in faces]
        return np.stack(crops) if crops else np.empty((0, _SIDE, _SIDE, 3), np.uint8)

    def embed(self, crops: np.ndarray) -> np.ndarray:
        """Aligned crops (K, 112, 112, 3) uint8 RGB -> unit-norm embeddings (K, D) float32.

        Raises:
            DataError: crops of another shape or dtype.
        """
        if crops.shape[1:] != (_SIDE, _SIDE, 3) or crops.dtype != np.uint8:
            expected = f"(K, {_SIDE}, {_SIDE}, 3) uint8 RGB"
            raise DataError("crops do not fit", expected=expected, got=f"{crops.shape} {crops.dtype}")
        ordered = np.ascontiguousarray(crops[..., ::-1]) if self.colour == "bgr" else crops
        result = np.empty((len(crops), self.size), np.float32)
        for at in range(0, len(crops), self.batch_size):
            batch = np.stack([self._preprocessor.normalise(c) for c in ordered[at : at + self.batch_size]])
            result[at : at + len(batch)] = self._engine.run(batch)[0]
            if self.flip:
                result[at : at + len(batch)] += self._engine.run(batch[..., ::-1])[0]
        result /= np.linalg.norm(result, axis=1, keepdims=True)
        return result

    def close(self) -> None:
        """Free the model."""
        self._engine.close()


def _graph(path: Path, shape: Sequence[int | None]) -> Any:
    """The ONNX graph, weights in other files left there; refuses another input than this module feeds."""
    if shape[0] not in (1, None) or tuple(shape[1:]) != (3, _SIDE, _SIDE):
        expected = f"input (N or 1, 3, {_SIDE}, {_SIDE})"
        fix = "export it with channels first" if tuple(shape[1:]) == (_SIDE, _SIDE, 3) else None
        raise ModelError(f"{path} takes no ArcFace crops", expected=expected, got=f"{tuple(shape)}", fix=fix)
    try:
        import onnx
    except ImportError as exc:
        raise MissingExtraError("onnx", "faces") from exc
    return onnx.load(str(path), load_external_data=False)


def _steps(path: Path, model: Any) -> tuple[np.ndarray, list[str]]:
    """Arithmetic with constants before the first layer: what it multiplies by (1 or 3,), and in words."""
    from onnx import helper, numpy_helper

    graph = model.graph
    tensors = {item.name: item for item in graph.initializer}
    constants = {n.output[0]: n.attribute[0] for n in graph.node if n.op_type == "Constant"}
    tensors |= {name: item.t for name, item in constants.items() if item.name == "value"}
    name = next(item.name for item in graph.input if item.name not in tensors)
    gain, words = np.ones(1), []
    while len(users := [node for node in graph.node if name in node.input]) == 1:
        node, kind = users[0], users[0].op_type
        known = [numpy_helper.to_array(tensors[i], str(path.parent)) for i in node.input if i in tensors]
        parts = [part.astype(np.float64).reshape(-1) for part in known if part.size in (1, 3)]
        if kind == "BatchNormalization" and len(parts) == 4:
            options = {item.name: helper.get_attribute_value(item) for item in node.attribute}
            gain = gain * parts[0] / np.sqrt(parts[3] + options.get("epsilon", 1e-5))
        elif kind in ("Sub", "Add", "Mul") and len(parts) == 1:
            gain = gain * parts[0] if kind == "Mul" else gain
        elif kind == "Div" and len(parts) == 1 and node.input[0] == name:
            gain = gain / parts[0]
        elif kind not in ("Identity", "Cast"):
            break
        if parts:
            words.append(f"{kind} {', '.join(f'{v:g}' for v in parts[0])}" if len(parts) == 1 else kind)
        name = node.output[0]
    return gain, words


def _check_scaling(path: Path, model: Any, std: float, inside: bool) -> None:
    gain, words = _steps(path, model)
    span = 255 / std * np.abs(gain)
    if not words and inside:
        raise ConfigError(
            f"{path} is declared to normalise inside, and its graph begins with no such step",
            fix="declare mean_px and std_px (0 and 1 where the first weights hold the scale)",
        )
    if words and not (_SPAN[0] <= span.min() and span.max() <= _SPAN[1]):
        how, got = ("twice", span.min()) if span.min() < _SPAN[0] else ("too little", span.max())
        raise ConfigError(
            f"the graph of {path} begins with {', '.join(words)}, so pixels would be scaled {how}",
            expected="0 to 255 to become about -1 to 1",
            got=f"a range of {got:.3g}",
            fix="declare normalised_inside=True, or the mean_px and std_px that this graph wants",
        )


def _probe(path: Path, engine: Engine, preprocessor: Preprocessor) -> tuple[int, bool]:
    """Length of an embedding, and whether crops in a batch come out as they do alone."""
    crops = np.random.default_rng(0).integers(0, 256, (2, _SIDE, _SIDE, 3), dtype=np.uint8)
    batch = np.stack([preprocessor.normalise(crop) for crop in crops])
    alone = [engine.run(batch[i : i + 1]) for i in (0, 1)]
    shapes = [part.shape for part in alone[0]]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != 1:
        raise ModelError(f"{path} is no embedder", expected="one output (N, D)", got=f"{shapes}")
    rows = np.concatenate([parts[0] for parts in alone])
    if not np.isfinite(rows).all() or np.array_equal(rows[0], rows[1]):
        raise ModelError(f"{path} is no embedder", got="not finite, or the same for different crops")
    if engine.input_shape[0] is not None:
        return rows.shape[1], False
    try:
        both = engine.run(batch)[0]
    except ModelError:  # the batch is open in name only: a shape inside holds 1
        return rows.shape[1], False
    close = both.shape == rows.shape and np.allclose(both, rows, atol=1e-3 * np.abs(rows).max())
    return rows.shape[1], bool(close)


def _weights_sha256(path: Path, model: Any) -> str:
    """SHA-256 of the file, and of those that it keeps weights in."""
    beside = {
        entry.value
        for item in model.graph.initializer
        for entry in item.external_data
        if entry.key == "location"
    }
    hashes = [atomic.sha256_file(path), *(atomic.sha256_file(path.parent / name) for name in sorted(beside))]
    return hashes[0] if not beside else hashlib.sha256("".join(hashes).encode()).hexdigest()
