"""Training losses, one idea a file. Loads torch."""

from vnvision.losses.cross_entropy import soft_cross_entropy
from vnvision.losses.masked_bce import masked_binary_cross_entropy

__all__ = ["masked_binary_cross_entropy", "soft_cross_entropy"]
