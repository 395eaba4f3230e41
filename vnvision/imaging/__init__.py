"""Images in: files to samples, samples to the model's input."""

from __future__ import annotations

from vnvision.imaging.preprocess import Preprocessor
from vnvision.imaging.read import read

__all__ = ["Preprocessor", "read"]
