"""Teach an image classifier from a few dozen photographs: a network that ships, a head of one's own."""

from __future__ import annotations

from vnvision.teach.bar import STAGES
from vnvision.teach.faults import TeachError
from vnvision.teach.records import ClassRow, Note, Skipped, Taught
from vnvision.teach.run import teach

__all__ = ["STAGES", "ClassRow", "Note", "Skipped", "Taught", "TeachError", "teach"]
