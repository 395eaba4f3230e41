"""Drawn DICOM sources, made-up answers about them, and the outside programs that judge the files."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # result_scenes
