"""Networks and where their starting weights come from. Loads torch; nothing at run time imports this."""

from vnvision.models.backbone import build_backbone, input_statistics
from vnvision.models.staged import StagedNet

__all__ = ["StagedNet", "build_backbone", "input_statistics"]
