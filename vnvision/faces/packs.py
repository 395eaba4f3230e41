"""insightface's model packs, where the user has one: run as plain ONNX, never fetched, never the default."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vnvision import atomic
from vnvision.engines import EngineName
from vnvision.errors import ConfigError, ModelError, VnvisionError
from vnvision.faces.arcface import ArcFaceOnnx
from vnvision.faces.scrfd import SCRFD
from vnvision.spec import explain

HOME_VARIABLE = "INSIGHTFACE_HOME"
LICENCE = (
    "insightface's pretrained models are for non-commercial research only; "
    "other use needs a licence from their owners"
)
_MANIFEST, _MANIFEST_VERSION = "manifest.json", 2


@dataclass(frozen=True, slots=True)
class PackFiles:
    """A pack's SCRFD and ArcFace files, and what they are fed: ``(x - mean) / std``, RGB, x from 0 to 255.

    ``mean_std`` is None where the graph does that itself.
    """

    detector: str
    embedder: str
    detector_mean_std: tuple[float, float] | None = (127.5, 128.0)
    embedder_mean_std: tuple[float, float] | None = (127.5, 127.5)


# As insightface's model zoo documents them. The raccoon and cheetah packs say the same in their manifests.
KNOWN: dict[str, PackFiles] = {
    "buffalo_l": PackFiles("det_10g.onnx", "w600k_r50.onnx"),
    "buffalo_m": PackFiles("det_2.5g.onnx", "w600k_r50.onnx"),
    "buffalo_s": PackFiles("det_500m.onnx", "w600k_mbf.onnx"),
    "buffalo_sc": PackFiles("det_500m.onnx", "w600k_mbf.onnx"),
    "antelopev2": PackFiles("scrfd_10g_bnkps.onnx", "glintr100.onnx"),
}


@dataclass(frozen=True, slots=True)
class FoundPack:
    """A pack's folder and which of its files are used."""

    name: str
    folder: Path
    files: PackFiles
    licence: str


@dataclass(frozen=True, slots=True)
class Pack:
    """An opened pack: ``FaceEngine(detector=pack.detector, embedder=pack.embedder)``."""

    name: str
    detector: SCRFD
    embedder: ArcFaceOnnx
    licence: str


def find_pack(
    pack: str | Path, *, files: PackFiles | None = None, root: str | Path | None = None
) -> FoundPack:
    """Where a pack is and what is in it; opens no model and uses no network.

    Args:
        pack: a name, looked up in ``<root>/models``, or a folder (a Path, or text with a slash).
        files: for folders of one's own: which files to use.
        root: default: the folder that ``INSIGHTFACE_HOME`` names, else ``~/.insightface``.

    Raises:
        ModelError: not found, with where it was looked for; files missing or not those of its manifest.
        ConfigError: a folder of unknown content, and no ``files``.
    """
    folder = _folder(pack, root)
    chosen = files or _declared(folder) or KNOWN.get(folder.name)
    if chosen is None:
        raise ConfigError(
            f"nothing says which files of {folder} to use",
            expected=f"a pack called {', '.join(KNOWN)}, or a folder with {_MANIFEST}",
            fix="or name them: files=PackFiles(detector=..., embedder=...)",
        )
    missing = [name for name in (chosen.detector, chosen.embedder) if not (folder / name).is_file()]
    if missing:
        raise ModelError(f"the pack in {folder} lacks {', '.join(missing)}", fix="unpack the archive again")
    return FoundPack(folder.name, folder, chosen, f"{folder.name}: {LICENCE}")


def open_pack(
    pack: str | Path,
    *,
    files: PackFiles | None = None,
    root: str | Path | None = None,
    engine: EngineName | None = None,
    threads: int | None = None,
    size_px: tuple[int, int] | None = None,
    min_score: float = 0.5,
    notice: Callable[[str], None] = warnings.warn,
) -> Pack:
    """A pack's detector and embedder.

    Args:
        pack, files, root: see ``find_pack``.
        engine, threads: see ``vnvision.engines.open_engine``; None takes the first engine installed.
        size_px, min_score: see ``SCRFD``.
        notice: called with the licence; by default it is a warning.

    Raises:
        ModelError, ConfigError: see ``find_pack``, ``SCRFD`` and ``ArcFaceOnnx``.
    """
    found = find_pack(pack, files=files, root=root)
    notice(found.licence)
    mean, std = found.files.detector_mean_std or (0.0, 1.0)
    path = found.folder / found.files.detector
    detector = SCRFD(
        path, engine=engine, threads=threads, size_px=size_px, min_score=min_score, mean_px=mean, std_px=std
    )
    inside = found.files.embedder_mean_std is None
    mean, std = found.files.embedder_mean_std or (0.0, 1.0)
    path = found.folder / found.files.embedder
    try:
        embedder = ArcFaceOnnx(
            path, engine=engine, threads=threads, mean_px=mean, std_px=std, normalised_inside=inside
        )
    except VnvisionError:
        detector.close()
        raise
    return Pack(found.name, detector, embedder, found.licence)


def _folder(pack: str | Path, root: str | Path | None) -> Path:
    if isinstance(pack, Path) or "/" in pack or os.sep in pack:
        places = [Path(pack).expanduser()]
    else:
        home = Path(root or os.environ.get(HOME_VARIABLE) or "~/.insightface").expanduser()
        # Some archives hold a folder of their own name.
        places = [home / "models" / pack / pack, home / "models" / pack]
    for place in places:
        if place.is_dir():
            return place
    raise ModelError(
        f"no model pack {pack}",
        got=f"nothing at {places[-1]}",
        fix="vnvision never downloads packs: they are for non-commercial research only; "
        f"put your own there, or set {HOME_VARIABLE}",
    )


class _Scale(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    mean: float
    std: float = Field(gt=0)


class _Task(BaseModel):
    model_config = ConfigDict(frozen=True)  # newer manifests may hold more than is read here
    file: str = Field(pattern=r"^\w[\w-]*([./]\w[\w-]*)*\.onnx$")
    sha256: str | None = None
    preprocessing: Literal["embedded"] | _Scale | None = None

    def mean_std(self, default: tuple[float, float]) -> tuple[float, float] | None:
        if isinstance(self.preprocessing, _Scale):
            return self.preprocessing.mean, self.preprocessing.std
        return default if self.preprocessing is None else None


class _Tasks(BaseModel):
    detection: _Task
    recognition: _Task


class _Manifest(BaseModel):
    tasks: _Tasks


def _declared(folder: Path) -> PackFiles | None:
    """What the manifest says; None where there is none, or one of another version, as insightface has it."""
    path = folder / _MANIFEST
    try:
        values = json.loads(path.read_bytes()) if path.is_file() else None
        if not isinstance(values, dict) or values.get("manifest_version") != _MANIFEST_VERSION:
            return None
        tasks = _Manifest.model_validate(values).tasks
    except ValidationError as exc:
        raise ModelError(f"{path} is not a pack's manifest: {explain(exc)}") from exc
    except ValueError as exc:
        raise ModelError(f"{path} is not a pack's manifest", got=str(exc)) from exc
    for task in (tasks.detection, tasks.recognition):
        file = folder / task.file
        if task.sha256 and file.is_file() and atomic.sha256_file(file) != task.sha256:
            raise ModelError(f"{file} is not the file of its manifest", expected=f"sha256 {task.sha256[:12]}")
    return PackFiles(
        tasks.detection.file,
        tasks.recognition.file,
        tasks.detection.mean_std((127.5, 128.0)),
        tasks.recognition.mean_std((127.5, 127.5)),
    )
