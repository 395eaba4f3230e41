"""What covers and spoils faces in the region, drawn from landmarks: masks, helmets, hats, rain, night."""

from vnvision.data.occlusion.apply import KINDS, occlude
from vnvision.data.occlusion.augmentation import RegionalOcclusion

__all__ = ["KINDS", "RegionalOcclusion", "occlude"]
