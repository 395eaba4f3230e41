"""Where this machine keeps what users made: galleries, their keys, calibrated thresholds."""

from __future__ import annotations

from pathlib import Path

from vnvision.hub.home import data_folder


def thresholds_file() -> Path:
    """Operating points that ``face calibrate`` learned here."""
    return data_folder() / "face_thresholds.json"


def gallery_file() -> Path:
    """The gallery used where none is named."""
    return data_folder() / "gallery" / "faces.db"


def key_file() -> Path:
    """The key of the gallery used where none is named."""
    return data_folder() / "gallery" / "faces.key"
