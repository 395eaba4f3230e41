"""Training losses, one idea a file. Loads torch."""

from vnvision.losses.centre_focal import centre_focal_loss
from vnvision.losses.cross_entropy import soft_cross_entropy
from vnvision.losses.dice import soft_dice_loss
from vnvision.losses.masked_bce import masked_binary_cross_entropy

__all__ = ["centre_focal_loss", "masked_binary_cross_entropy", "soft_cross_entropy", "soft_dice_loss"]
