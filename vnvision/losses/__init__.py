"""Training losses, one idea a file. Loads torch."""

from vnvision.losses.centre_focal import centre_focal_loss
from vnvision.losses.cross_entropy import soft_cross_entropy
from vnvision.losses.dice import soft_dice_loss
from vnvision.losses.distillation import (
    cosine_distillation_loss,
    embedding_mse_loss,
    relational_distillation_loss,
)
from vnvision.losses.margin import HEADS, ClassCentres, MarginHead, build_head, margin_loss
from vnvision.losses.masked_bce import masked_binary_cross_entropy
from vnvision.losses.soft_labels import soft_label_loss
from vnvision.losses.supcon import supervised_contrastive_loss
from vnvision.losses.triplet import batch_hard_triplet_loss, semi_hard_triplet_loss

__all__ = [
    "HEADS",
    "ClassCentres",
    "MarginHead",
    "batch_hard_triplet_loss",
    "build_head",
    "centre_focal_loss",
    "cosine_distillation_loss",
    "embedding_mse_loss",
    "margin_loss",
    "masked_binary_cross_entropy",
    "relational_distillation_loss",
    "semi_hard_triplet_loss",
    "soft_cross_entropy",
    "soft_dice_loss",
    "soft_label_loss",
    "supervised_contrastive_loss",
]
