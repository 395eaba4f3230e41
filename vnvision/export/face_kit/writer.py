"""Write the face kit: networks, constants, golden answers, scripts, licences; proven before it is there."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.engines import open_engine
from vnvision.errors import ConfigError, ExportError
from vnvision.export.face_kit.embedders import KitEmbedder, from_bundle, sface
from vnvision.export.face_kit.golden import golden_arrays
from vnvision.export.face_kit.manifest import KIND, manifest, thresholds_of
from vnvision.export.face_kit.networks import ENGINES, KitEngine, write_network
from vnvision.export.face_kit.texts import TEMPLATES, licences, readme
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import DEFAULT_THRESHOLD
from vnvision.faces.graph import prepared
from vnvision.faces.pictures import Picture, as_rgb, decoded
from vnvision.runtime.golden import golden_bytes
from vnvision.runtime.publish import check_free, staged

_MARK = "Network = None  # write_face_kit puts the kit's engine here\n"
_LIMIT_S = 600


def write_face_kit(
    out: str | Path,
    *,
    engine: KitEngine = "onnxruntime",
    embedder: str | Path | None = None,
    threshold: float | str = DEFAULT_THRESHOLD,
    population: str | None = None,
    pictures: Sequence[Picture] = (),
    weights: str | Path | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a folder that finds, aligns and compares faces with numpy, OpenCV and one engine alone.

    Detector is YuNet, embedder SFace or a bundle. The finished folder runs its own ``self_test.py`` with the
    engine itself, from uint8 pictures on; one that does not repeat the answers of vnvision's own chain on
    ONNX Runtime is refused. Its golden pictures are drawn; no person is on them, unless given here.

    Args:
        out: the kit's folder; must not exist, or be empty, or with ``overwrite`` be a face kit.
        engine: ``onnxruntime``, ``openvino``, ``ncnn`` or ``mnn``; it has to be installed here.
        embedder: folder of an embedding bundle; None for SFace.
        threshold: what the example decides by: a rate that was measured, or a cosine.
        population: whose operating point; without one the strictest.
        pictures: further golden pictures, as of the cameras it will serve: files, bytes of files, or arrays.
            They travel in the kit, so whoever is on them has to agree.
        weights: folder with the published weights; None looks in the usual places.
        overwrite: replace a face kit that is there.

    Returns:
        The kit's folder.

    Raises:
        ConfigError: no such engine, or a threshold that was never measured.
        DataError: a picture cannot be read.
        ModelError, BundleError: weights or bundle missing, damaged or not fitting.
        ExportError: ``out`` is taken, a network cannot be converted, or the kit disagrees with the original.
        MissingExtraError: the engine or its converter is not installed.
    """
    if engine not in ENGINES:
        raise ConfigError(f"there is no face kit for {engine!r}", expected=" or ".join(ENGINES))
    out = Path(out).absolute()
    _check_out(out, overwrite=overwrite)
    further = [as_rgb(decoded(picture), number) for number, picture in enumerate(pictures)]
    path = prepared("yunet", weights)
    with contextlib.ExitStack() as stack:
        source = sface(weights) if embedder is None else from_bundle(embedder)
        stack.callback(source.close)
        thresholds = thresholds_of(source, threshold, population)
        detector = YuNet(engine="onnxruntime", threads=1, folder=weights)
        stack.callback(detector.close)
        net = stack.enter_context(contextlib.closing(open_engine(path, "onnxruntime", threads=1)))
        arrays = golden_arrays(detector, net, source, further)
        folder = stack.enter_context(staged(out, overwrite=overwrite))
        onnx = {"detector": path, "embedder": source.onnx}
        nets = {name: write_network(name, engine, file, folder) for name, file in onnx.items()}
        atomic.write_bytes(folder / "golden.npz", _packed(arrays))
        _scripts(folder, engine)
        _licences(folder, source, len(further))
        about = manifest(engine, detector, source, nets, thresholds, folder)
        atomic.write_json(folder / "manifest.json", about)
        atomic.write_text(folder / "README.md", readme(about, _proven(folder), source))
    return out


def _check_out(out: Path, *, overwrite: bool) -> None:
    """As ``check_free``, and of folders with a manifest only face kits are overwritten."""
    check_free(out, overwrite=overwrite)
    file = out / "manifest.json"
    if not file.is_file():
        return
    try:
        kind = json.loads(file.read_text("utf-8")).get("kit")
    except (OSError, ValueError, AttributeError):
        kind = None
    if kind != KIND:
        raise ExportError(f"{out} is no face kit, so it is not overwritten", fix="choose another folder")


def _packed(arrays: dict[str, np.ndarray]) -> bytes:
    rest = {name: values for name, values in arrays.items() if name not in ("images", "outputs")}
    return golden_bytes(arrays["images"], arrays["outputs"], rest)


def _scripts(folder: Path, engine: KitEngine) -> None:
    """The three scripts; the class of the engine goes into the chain, which then is one file."""
    chain = (TEMPLATES / "face_chain.py").read_text("utf-8")
    source = (TEMPLATES / "networks" / f"{engine}.py").read_text("utf-8")
    network = source[source.index("class Network") :]
    if chain.count(_MARK) != 1:
        raise ExportError("the template face_chain.py has no place for the engine", fix="reinstall vnvision")
    atomic.write_text(folder / "face_chain.py", chain.replace(_MARK, network))
    for name in ("self_test.py", "example.py"):
        shutil.copyfile(TEMPLATES / name, folder / name)


def _licences(folder: Path, source: KitEmbedder, n_pictures: int) -> None:
    """Full texts of what is inside: this code and SFace under Apache-2.0, YuNet under MIT."""
    (folder / "licences").mkdir()
    for name in ("APACHE-2.0.txt", "YUNET-MIT.txt"):
        shutil.copyfile(TEMPLATES / name, folder / "licences" / name)
    atomic.write_text(folder / "licences" / "README.md", licences(source, n_pictures))


def _proven(folder: Path) -> list[dict[str, Any]]:
    """The figures of the kit's own self-test, in a process of its own, as an integrator runs it.

    Raises:
        ExportError: it disagrees with the original, or does not run.
    """
    command = [sys.executable, "-P", "-B", str(folder / "self_test.py"), "--json"]
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, encoding="utf-8", timeout=_LIMIT_S, check=False
        )
    except (subprocess.TimeoutExpired, OSError) as exc:
        raise ExportError("the face kit's self-test could not run", got=str(exc)[-200:]) from exc
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode not in (0, 1) or not last.startswith("{"):
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ExportError("the face kit does not run and is refused", got=said[:300])
    figures: list[dict[str, Any]] = json.loads(last)["figures"]
    wrong = [
        f"{item['name']} {item['value']} (limit {item['limit']})" for item in figures if not item["passed"]
    ]
    if wrong or done.returncode:
        raise ExportError("the face kit disagrees with the original and is refused: " + "; ".join(wrong))
    return figures
