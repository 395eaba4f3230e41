"""``manifest.json`` of a face kit: every constant of the chain, each from where vnvision has it."""

from __future__ import annotations

import contextlib
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import MappingProxyType
from typing import Any

from vnvision import __version__, atomic
from vnvision.errors import ConfigError
from vnvision.export.face_kit.embedders import KitEmbedder
from vnvision.export.face_kit.networks import KitEngine, KitNetwork
from vnvision.export.result import TOLERANCES
from vnvision.faces import detector as yunet
from vnvision.faces.detector import YuNet
from vnvision.faces.thresholds import resolve
from vnvision.imaging.align import template
from vnvision.records import OperatingPoint

KIND, VERSION = "vnvision-faces", 1
PACKAGES: Mapping[KitEngine, str] = MappingProxyType(
    {"onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN"}
)
"""What to install for an engine."""

_APART = {"box_px": 0.05, "landmark_px": 0.05, "score": 1e-3, "crop_levels": 0.1}
"""How far the chain may be from the original: pixels of the picture, score, mean levels of a crop."""

_SPEC = {"size_px", "colour", "input_range", "mean", "std", "interpolation", "pad_value", "flip_average"}


def manifest(
    engine: KitEngine,
    detector: YuNet,
    source: KitEmbedder,
    nets: Mapping[str, KitNetwork],
    thresholds: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """The content of ``manifest.json``, with a hash of every file that is in ``folder``."""
    limit = TOLERANCES["fp32"]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        "kit": KIND,
        "version": VERSION,
        "made_by": f"vnvision {__version__}",
        "engine": engine,
        "proven_with": _versions(engine),
        "tolerance": {"relative": limit.relative, "cosine": limit.cosine, **_APART},
        "detector": {"name": "YuNet (2023 March)", **_ends(nets["detector"]), **_detector(detector)},
        "embedder": {
            "name": source.name,
            "fingerprint": source.run.fingerprint,
            "length": source.run.size,
            **_ends(nets["embedder"]),
            **source.spec.model_dump(mode="json", include=_SPEC),
            "template_px": template(source.spec.size_px).tolist(),
        },
        "thresholds": dict(thresholds),
        "files": {path.relative_to(folder).as_posix(): atomic.sha256_file(path) for path in files},
    }


def thresholds_of(source: KitEmbedder, threshold: float | str, population: str | None) -> dict[str, Any]:
    """The chosen threshold, and every one that may be asked for by name.

    Raises:
        ConfigError: no threshold, or a rate or population that was never measured.
    """
    chosen = resolve(threshold, source.run.fingerprint, population=population, points=source.points)
    values = {}
    for point in source.points:
        for request in (point.target, f"{point.target}@{point.population}"):
            with contextlib.suppress(ConfigError):  # a rate that is not kept in every population
                found = resolve(request, source.run.fingerprint, points=source.points)
                values[request] = found.value
    target, whom = (chosen.point.target, chosen.point.population) if chosen.point else (None, None)
    return {
        "chosen": {"value": chosen.value, "target": target, "population": whom,
                   "populations": chosen.populations},
        "values": dict(sorted(values.items(), key=lambda item: ("@" in item[0], item[0]))),
        "points": [_point(point) for point in source.points],
    }  # fmt: skip


def _point(point: OperatingPoint) -> dict[str, Any]:
    return point.model_dump(mode="json", exclude_none=True)


def _detector(detector: YuNet) -> dict[str, Any]:
    """How pictures come to the detector and its maps become faces: as the detector that answered."""
    return {
        "strides": list(yunet._STRIDES),
        "multiple_px": yunet._MULTIPLE_PX,
        "max_faces": yunet._MAX_FACES,
        "second_look_border": yunet._BORDER,
        "border_level": 128,
        "max_side_px": detector.max_side_px,
        "min_score": detector.min_score,
        "overlap": detector.overlap,
    }


def _ends(net: KitNetwork) -> dict[str, Any]:
    return {"files": list(net.files), "input": net.input, "outputs": list(net.outputs)}


def _versions(engine: KitEngine) -> dict[str, str]:
    """The packages of this machine, as pip wants to have them named."""
    found = {"python": platform.python_version()}
    for key, names in {
        "numpy": ("numpy",),
        "opencv": ("opencv-python", "opencv-python-headless"),
        engine: (PACKAGES[engine],),
    }.items():
        for name in names:
            with contextlib.suppress(metadata.PackageNotFoundError):
                found.setdefault(key, f"{name}=={metadata.version(name)}")
    return found
