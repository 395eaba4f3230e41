"""Where this machine keeps what users made: galleries, their keys, calibrated thresholds."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "VNVISION_HOME"


def data_folder() -> Path:
    """``VNVISION_HOME``, else ``vnvision`` in the user's data folder. Not a cache: keep it."""
    if own := os.environ.get(HOME_VARIABLE):
        return Path(own)
    base = os.environ.get("LOCALAPPDATA") or os.environ.get("XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "vnvision"


def thresholds_file() -> Path:
    """Operating points that ``face calibrate`` learned here."""
    return data_folder() / "face_thresholds.json"


def gallery_file() -> Path:
    """The gallery used where none is named."""
    return data_folder() / "gallery" / "faces.db"


def key_file() -> Path:
    """The key of the gallery used where none is named."""
    return data_folder() / "gallery" / "faces.key"
