"""What this machine has, what it lacks, and the line that mends it."""

from __future__ import annotations

import ctypes
import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from typing import Any

from vnvision import __version__
from vnvision.engines.isolated import LITERT, RKNN

_OPENCV = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_ENGINES = {
    "onnxruntime": "onnxruntime",
    "openvino": "openvino",
    "ncnn": "ncnn",
    "mnn": "mnn",
    "litert": "ai-edge-litert",
    "executorch": "executorch",
    "torch": "torch",
    "rknn": "rknn-toolkit-lite2",
}
_LIBRARIES = {"libGL.so.1": "libgl1", "libgthread-2.0.so.0": "libglib2.0-0"}


def examine() -> dict[str, Any]:
    """Versions, extras, engines, cores, GPUs and problems, JSON-ready. Imports none of the packages."""
    extras = {name: _missing(requirements) for name, requirements in _extras().items()}
    engines = {name: installed(package) for name, package in _ENGINES.items()}
    return {
        "vnvision": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "memory_gb": _memory_gb(),
        "gpus": _gpus(),
        "packages": {name: installed(name) for name in sorted(_all_packages())},
        "extras": {name: {"ready": not missing, "missing": missing} for name, missing in extras.items()},
        "engines": engines,
        "converters": {item.name: item.is_whole for item in (RKNN, LITERT)},
        "problems": _problems(extras),
    }


def installed(package: str) -> str | None:
    """Version of an installed package, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _requirements() -> list[str]:
    try:
        return metadata.requires("vnvision") or []
    except metadata.PackageNotFoundError:
        return []


def _extras() -> dict[str, list[str]]:
    """Extra -> packages, nested extras (``vnvision[eval]``) resolved."""
    direct: dict[str, list[str]] = {}
    for line in _requirements():
        found = re.search(r"extra == ['\"]([\w-]+)['\"]", line)
        if found:
            direct.setdefault(found.group(1), []).append(line.split(";")[0].strip())

    def resolve(name: str) -> list[str]:
        packages: list[str] = []
        for requirement in direct.get(name, []):
            nested = re.match(r"vnvision\[([\w,-]+)\]", requirement)
            if nested:
                for inner in nested.group(1).split(","):
                    packages += resolve(inner)
            else:
                packages.append(_name(requirement))
        return packages

    return {name: resolve(name) for name in direct}


def _all_packages() -> set[str]:
    base = {_name(line) for line in _requirements() if "extra ==" not in line}
    return base | {package for packages in _extras().values() for package in packages}


def _name(requirement: str) -> str:
    return re.split(r"[\s\[<>=!~;]", requirement, maxsplit=1)[0].lower()


def _missing(packages: list[str]) -> list[str]:
    return [package for package in packages if installed(package) is None]


def _problems(extras: dict[str, list[str]]) -> list[dict[str, str]]:
    problems = []
    opencvs = [name for name in _OPENCV if installed(name)]
    if len(opencvs) > 1:
        others = " ".join(name for name in opencvs if name != "opencv-python")
        problems.append(
            {
                "problem": f"{len(opencvs)} OpenCV packages overwrite each other: {', '.join(opencvs)}",
                "fix": f"pip uninstall -y {others} opencv-python && pip install opencv-python",
            }
        )
    if sys.platform.startswith("linux"):
        absent = [package for library, package in _LIBRARIES.items() if not _loads(library)]
        if absent:
            problems.append(
                {
                    "problem": f"system libraries OpenCV needs are missing: {', '.join(absent)}",
                    "fix": f"apt-get install -y {' '.join(absent)}",
                }
            )
    for name, missing in extras.items():
        if missing and name != "all":
            problems.append(
                {
                    "problem": f"extra {name} is not complete: {', '.join(missing)}",
                    "fix": f"pip install 'vnvision[{name}]'",
                }
            )
    return problems


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _memory_gb() -> float | None:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return None
    return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)


def _gpus() -> list[str]:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
