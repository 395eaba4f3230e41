"""The folder of all that users make on this machine: their models, galleries, thresholds."""

from __future__ import annotations

import os
from pathlib import Path

HOME_VARIABLE = "VNVISION_HOME"


def data_folder() -> Path:
    """``VNVISION_HOME``, else ``vnvision`` in the user's data folder. Not a cache: keep it."""
    if own := os.environ.get(HOME_VARIABLE):
        return Path(own).expanduser()
    base = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_DATA_HOME")
    return (Path(base) if base else Path.home() / ".local" / "share") / "vnvision"
