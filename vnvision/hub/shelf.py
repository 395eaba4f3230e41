"""Models by name: those that ship, and those the user has added.

A name is all that ``load_bundle("mango")`` and ``vnvision predict mango leaf.jpg`` need. Nothing is opened
here: ``vnvision.runtime`` verifies a bundle before it is used.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from vnvision.errors import BundleError, ConfigError
from vnvision.hub.home import data_folder

SHIPPED = Path(__file__).parent / "models"
VARIABLE = "VNVISION_MODELS"
AUTO = "auto"
"""No model but the router: it chooses the expert a picture needs."""

MANIFEST = "manifest.json"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_FORM = "a small letter, then up to 40 small letters, digits, - or _"
# Windows opens the device, whatever the folder.
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
ADD = "add your own with: vnvision models add BUNDLE --name NAME"


def user_folder() -> Path:
    """Where the user's models lie: ``VNVISION_MODELS``, else ``models`` in the user's data folder."""
    if own := os.environ.get(VARIABLE):
        return Path(own).expanduser()
    return data_folder() / "models"


def is_name(text: str) -> bool:
    """Whether a text can name a model: no path, no hidden file, nothing that a system reads otherwise."""
    return _NAME.fullmatch(text) is not None and text not in _DEVICES


def checked_name(text: str) -> str:
    """The name, if a model may be called so.

    Raises:
        ConfigError: it may not.
    """
    if not is_name(text) or text == AUTO:
        raise unnameable(text)
    return text


def is_shipped(name: str) -> bool:
    """Whether a model of this name came with the package."""
    return is_name(name) and is_bundle(SHIPPED / name)


def model_names() -> dict[str, Path]:
    """Every model there is and its folder, by name: those that ship, then the user's.

    A shipped name is never another model's: a folder of the user's of that name is passed over.
    """
    found = _inside(SHIPPED)
    own = _inside(user_folder())
    return found | {name: path for name, path in own.items() if name not in found}


def model_folder(name: str) -> Path:
    """The folder of the model of a name.

    Raises:
        ConfigError: no model can have this name.
        BundleError: there is none; lists names like it, and says how to add one.
    """
    if not is_name(name):
        raise unnameable(name)
    found = model_names().get(name)
    if found is None:
        raise unknown(name)
    return found


def resolve(model: str | Path) -> Path:
    """The bundle folder that a user means: a folder of that path, else the model of that name.

    ``auto``, and what can be no name, are given back as they are: opening a path says what is wrong with it.

    Raises:
        BundleError: a name that no model has.
        ConfigError: neither a name nor a path.
    """
    path, text = Path(model), str(model)
    if is_bundle(path) or text == AUTO:
        return path
    if not is_name(text):
        if not _can_be_a_path(path):
            raise unnameable(text[:80])
        return path
    found = model_names().get(text)
    if found is None and not path.is_dir():
        raise unknown(text)
    return found or path


def is_bundle(folder: Path) -> bool:
    """Whether a folder looks like a bundle; ``vnvision.runtime.open_bundle`` says whether it is one."""
    try:
        return (folder / MANIFEST).is_file()
    except (OSError, ValueError):  # longer than a path may be, or with a null in it
        return False


def _can_be_a_path(path: Path) -> bool:
    try:
        path.exists()
    except (OSError, ValueError):
        return False
    return True


def unnameable(text: str) -> ConfigError:
    """The error that no model can be called so."""
    return ConfigError(
        "a model cannot have this name",
        expected=f"{_FORM}, other than {AUTO}",
        got=repr(text),
        vietnamese=f"không thể đặt tên mô hình là {text!r}: hãy dùng chữ thường không dấu, số, - hoặc _",
    )


def unknown(name: str) -> BundleError:
    """The error that there is no model of a name."""
    names = list(model_names())
    near = difflib.get_close_matches(name, [*names, AUTO], n=3, cutoff=0.5)
    known = ", ".join(near or names)
    said = f"such as {known}" if near else f"one of {known}" if names else f"no model is installed; {ADD}"
    return BundleError(
        f"there is no model called {name}, and no folder of that path",
        expected=said if names or near else None,
        fix=f"see them with: vnvision models list; {ADD}",
        vietnamese=f"không có mô hình tên {name}"
        + (f"; gần giống: {', '.join(near)}" if near else "")
        + "; xem danh sách bằng: vnvision models list",
    )


def _inside(folder: Path) -> dict[str, Path]:
    """Folders with a manifest whose names can be a model's; half copies have names that cannot."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return {}
    return {one.name: one for one in entries if is_name(one.name) and is_bundle(one)}
