"""The face chain (detect, align, embed, compare) as a folder that runs without vnvision."""

from vnvision.export.face_kit.networks import ENGINES, KitEngine
from vnvision.export.face_kit.writer import write_face_kit

__all__ = ["ENGINES", "KitEngine", "write_face_kit"]
