"""The embedder of a face kit: ours, or a trained one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vnvision.engines import Engine, open_engine
from vnvision.errors import BundleError
from vnvision.faces.bundle import BundleEmbedder
from vnvision.faces.embedder import SFace
from vnvision.faces.graph import prepared
from vnvision.faces.protocols import Embedder
from vnvision.faces.thresholds import stored_points
from vnvision.faces.weights import KNOWN
from vnvision.records import OperatingPoint
from vnvision.runtime.bundle import open_bundle
from vnvision.runtime.target import remaining_preprocess
from vnvision.spec import PreprocessSpec


@dataclass(frozen=True, slots=True)
class KitEmbedder:
    """An embedder as vnvision runs it on ONNX Runtime, and what its kit is made from.

    Attributes:
        name: of the model.
        run: aligns and embeds.
        net: the network alone.
        onnx: its file.
        spec: the preprocessing outside that file.
        points: operating points for its embeddings.
        licence: of its weights.
        training_data: licences of what it was trained on; empty: not stated.
    """

    name: str
    run: Embedder
    net: Engine
    onnx: Path
    spec: PreprocessSpec
    points: tuple[OperatingPoint, ...]
    licence: str
    training_data: tuple[str, ...] = ()

    def close(self) -> None:
        """Free the models."""
        self.run.close()
        self.net.close()


def sface(weights: str | Path | None = None) -> KitEmbedder:
    """Our SFace, its weights in float32.

    Raises:
        ModelError: no weights, or not the published ones.
    """
    run, path = SFace(engine="onnxruntime", threads=1, folder=weights), prepared("sface", weights)
    known = KNOWN["sface"]
    spec, points = SFace.preprocess, stored_points(run.fingerprint)
    net = open_engine(path, "onnxruntime", threads=1)
    return KitEmbedder(known.source, run, net, path, spec, points, known.licence)


def from_bundle(folder: str | Path) -> KitEmbedder:
    """A trained embedder, from the float32 ONNX file of its bundle.

    Raises:
        BundleError: the bundle is damaged, no face embedder, or has no such file.
    """
    bundle = open_bundle(folder)
    manifest = bundle.manifest
    wanted = ("onnxruntime", "fp32")
    keys = [key for key, item in manifest.targets.items() if (item.engine, item.precision) == wanted]
    if not keys:
        raise BundleError(
            f"bundle {manifest.name} cannot become a face kit",
            expected="a float32 ONNX target",
            got=", ".join(manifest.targets),
            fix="export it for onnx",
        )
    record = manifest.targets[keys[0]]
    run = BundleEmbedder(folder, target=keys[0], threads=1)
    path = bundle.file(record.file)
    return KitEmbedder(
        manifest.name,
        run,
        open_engine(path, "onnxruntime", threads=1),
        path,
        remaining_preprocess(manifest.task.preprocess, record),
        (*run.operating_points, *stored_points(run.fingerprint)),
        manifest.licences.weights,
        manifest.licences.training_data,
    )
