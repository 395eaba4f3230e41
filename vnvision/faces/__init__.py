"""Faces at run time: detect, embed, verify, and galleries of enrolled people. Loads no torch.

Whole jobs on photos, loaded when they are first used: ``cluster_photos``, ``anonymise_faces``,
``face_quality``, ``face_occlusions``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_NAMES = {
    "anonymise_faces": "vnvision.faces.anonymise",
    "cluster_photos": "vnvision.faces.clusters",
    "face_occlusions": "vnvision.faces.occlusion",
    "face_quality": "vnvision.faces.photo_quality",
}
__all__ = ["anonymise_faces", "cluster_photos", "face_occlusions", "face_quality"]

if TYPE_CHECKING:
    from vnvision.faces.anonymise import anonymise_faces
    from vnvision.faces.clusters import cluster_photos
    from vnvision.faces.occlusion import face_occlusions
    from vnvision.faces.photo_quality import face_quality


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
