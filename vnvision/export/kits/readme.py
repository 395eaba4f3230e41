"""The kit's README, for the integrator, and its licences."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path
from string import Template
from typing import Any

from vnvision.export.kits.common import Parts
from vnvision.export.kits.ncnn_cpp import PROVEN_WITH
from vnvision.runtime.bundle import Bundle

TEMPLATES = Path(__file__).parent / "templates"  # files, never imported here
PACKAGES = {
    "onnxruntime": "onnxruntime", "openvino": "openvino", "ncnn": "ncnn", "mnn": "MNN", "torch": "torch",
    "litert": "ai-edge-litert", "executorch": "executorch torch", "rknn": "rknn-toolkit-lite2", "coreml": "",
}  # fmt: skip
_GRAPH, _WEIGHTS = "the model's graph", "the model's weights"
_ABOUT = {".xml": _GRAPH, ".param": _GRAPH, ".mlmodel": _GRAPH, ".bin": _WEIGHTS, ".json": "about the model"}


def readme(parts: Parts) -> str:
    """The text of ``README.md``, English and Vietnamese."""
    manifest, record = parts.bundle.manifest, parts.record
    values = _in(parts, 0, "") | _in(parts, 1, "_vi")
    proven = f"; run by {record.proven_by}" if record.proven_by and record.engine != "coreml" else ""
    more = {"proven": proven, "more": "", "more_vi": "", "more_files": ""}
    if record.engine == "ncnn":
        cpp = {"version": PROVEN_WITH}
        more |= {
            f"more{language}": Template(_text(f"ncnn/README_part{language}.md")).substitute(cpp).rstrip()
            for language in ("", "_vi")
        }
        more["more_files"] = (
            "| `model.h`, `preprocess.h` | load, prepare, run in C++; this model's numbers, generated |\n"
            "| `golden.h`, `golden.bin`, `main.cpp`, `CMakeLists.txt` | the self-test in C++ |\n"
        )
    files = [
        f"| `{name}` | {_ABOUT.get(Path(name).suffix, 'the model')}; do not edit |" for name in parts.files
    ]
    text = Template(_text("README.md")).substitute(
        values, **more, name=manifest.name, target=parts.target, engine=record.engine,
        kind=manifest.task.kind, precision=record.precision, count=len(parts.images),
        model_files="\n".join(files),
    )  # fmt: skip
    tidy = "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
    return re.sub(r"\n{3,}", "\n\n", tidy)


def licences(bundle: Bundle) -> str:
    """The text of ``LICENCES.txt``."""
    stated = bundle.manifest.licences
    return "\n".join([
        f"Scripts and sources of this kit (vnvision): {stated.code}, https://www.apache.org/licenses/LICENSE-2.0",
        f"Weights ({bundle.manifest.name}): {stated.weights}",
        f"Training data: {', '.join(stated.training_data) or 'not stated'}",
        "The engine is not part of this kit: it comes with a licence of its own.",
        "",
    ])  # fmt: skip


def own_licence() -> str | None:
    """The text of our own licence, as it was installed with us."""
    try:
        files = importlib.metadata.distribution("vnvision").files or []
        return next((file.read_text() for file in files if file.name == "LICENSE"), None)
    except (importlib.metadata.PackageNotFoundError, OSError):
        return None


def _in(parts: Parts, place: int, suffix: str) -> dict[str, str]:
    """What differs between languages; ``place`` is 0 for English, 1 for Vietnamese."""
    spec, engine = parts.spec, parts.record.engine
    words: dict[str, Any] = json.loads(_text("words.json"))
    low, high = spec.input_range
    how = {"h": spec.size_px[0], "w": spec.size_px[1], "c": spec.channels, "i": spec.interpolation,
           "p": spec.crop_pct, "v": spec.pad_value, "colour": spec.colour, "low": low, "span": high - low,
           "mean": _numbers(spec.mean), "std": _numbers(spec.std)}  # fmt: skip
    kind = parts.bundle.manifest.task.kind
    reading = [words["reading"][kind][place], words["flip"][place] * spec.flip_average]
    pixels = "pixels" if parts.record.converter_took else "floats"
    elsewhere = "coreml" if engine == "coreml" else "rv1106" if "rv1106" in parts.target else None
    start = words["start"][elsewhere or "python"][place]
    notes = [
        "" if elsewhere else words["engine"][engine][place],
        words["eight_bits"][place] * bool(parts.own),
    ]
    texts = {
        "geometry": words["geometry"][spec.geometry][place].format(**how),
        "input": words["input"][pixels][place].format(**how),
        "reading": " ".join(reading).strip(),
        "start": start.format(packages=PACKAGES[engine], tolerance=_limits(parts)),
        "engine_note": " ".join(filter(None, notes)),
        "synthetic": words["synthetic"][place] * parts.bundle.manifest.synthetic,
    }
    return {f"{name}{suffix}": text for name, text in texts.items()}


def _limits(parts: Parts) -> str:
    """What the outputs may be off, each value once."""
    return ", ".join(f"{value:.3g}" for value in sorted(set(parts.tolerance.values())))


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text("utf-8")
