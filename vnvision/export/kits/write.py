"""Writing a kit: all of it or nothing."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vnvision import atomic
from vnvision.errors import ExportError
from vnvision.export.kits import ncnn_cpp
from vnvision.export.kits.common import Parts, gather, labels_csv
from vnvision.export.kits.readme import TEMPLATES, licences, own_licence, readme
from vnvision.runtime.golden import golden_bytes
from vnvision.runtime.publish import staged

ONNX = "onnx"  # float32, which TensorRT builds from
GOLDEN, SPEC, LABELS = "golden.npz", "spec.json", "labels.csv"


def write_kit(bundle_folder: str | Path, target: str, out: str | Path) -> Path:
    """Write a folder with which an integrator runs, proves and measures one target without vnvision.

    The model's files, labels, thresholds, golden pictures and answers, ``self_test.py``, ``bench.py`` and
    ``example.py``, which need numpy, OpenCV (the example) and the engine's own package; a README in two
    languages, licences; for ncnn the same self-test in C++. The scripts run the preprocessing of
    ``vnvision.imaging``, written once more in plain numpy and OpenCV and tested to be equal.

    Args:
        bundle_folder: a bundle; all of it is verified first.
        target: the name of one of its targets.
        out: the kit's folder; must not exist, or be empty.

    Returns:
        The kit's folder.

    Raises:
        BundleError: the bundle is damaged.
        ConfigError: it has no such target.
        ExportError: ``out`` is taken, the preprocessing does not start from 8-bit pictures, or the bundle
            has fewer than two golden ones.
    """
    parts, out = gather(bundle_folder, target), Path(out).absolute()
    if out.is_dir() and any(out.iterdir()):
        raise ExportError(f"{out} is not empty", fix="choose another folder for the kit")
    facts = spec_json(parts)
    with staged(out, overwrite=False) as folder:
        for name, source in parts.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)
        for script in sorted((TEMPLATES / "python").glob("*.py")):
            shutil.copyfile(script, folder / script.name)
        further = dict(list(parts.outputs.items())[1:])
        first = next(iter(parts.outputs.values()))
        atomic.write_bytes(
            folder / GOLDEN, golden_bytes(parts.images, first, {**further, **parts.own, **parts.placed})
        )
        if parts.target == ONNX:
            shutil.copyfile(TEMPLATES / "tensorrt" / "build_tensorrt.py", folder / "build_tensorrt.py")
        if parts.record.engine == "ncnn":
            facts |= {"input": ncnn_cpp.write_parts(parts, folder)}
        atomic.write_json(folder / SPEC, facts)
        atomic.write_text(folder / LABELS, labels_csv(parts.bundle))
        atomic.write_text(folder / "README.md", readme(parts))
        atomic.write_text(folder / "LICENCES.txt", licences(parts.bundle))
        if text := own_licence():
            atomic.write_text(folder / "LICENSE", text)
        parts.bundle.confirm()  # its files were read once more
    return out


def spec_json(parts: Parts) -> dict[str, Any]:
    """All that the scripts know of the model."""
    manifest, record = parts.bundle.manifest, parts.record
    height, width = parts.spec.size_px
    facts: Mapping[str, Any] = {
        "name": manifest.name,
        "target": parts.target,
        "engine": record.engine,
        "precision": record.precision,
        "file": parts.file,
        "files": parts.hashes,
        "shape": [1, parts.spec.channels, height, width],
        "outputs": list(parts.outputs),
        "tolerance": dict(parts.tolerance),
        "preprocess": parts.spec.model_dump(mode="json"),
        "bundle_sha256": parts.bundle.digest,
        "synthetic": manifest.synthetic,
        "licences": manifest.licences.model_dump(mode="json"),
        "task": manifest.task.model_dump(mode="json"),
    }
    thresholds = record.model_dump(
        mode="json", include={"calibration", "operating_points", "converter_took", "proven_by"}
    )
    return {**facts, **thresholds}
