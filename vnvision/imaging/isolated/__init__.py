"""Decoding files from strangers in a process of its own."""

from __future__ import annotations

from vnvision.imaging.isolated.errors import DecoderError
from vnvision.imaging.isolated.reader import IsolatedReader

__all__ = ["DecoderError", "IsolatedReader"]
