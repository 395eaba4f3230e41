"""Margin losses for faces: class centres give cosines, a head turns them into a loss."""

from vnvision.losses.margin.adaface import AdaFace
from vnvision.losses.margin.amsoftmax import AMSoftmax
from vnvision.losses.margin.arcface import ArcFace
from vnvision.losses.margin.centres import ClassCentres
from vnvision.losses.margin.combined import CombinedMargin
from vnvision.losses.margin.comparison import Comparison, class_cosines, compare, unit_rows, with_own
from vnvision.losses.margin.cosface import CosFace
from vnvision.losses.margin.curricularface import CurricularFace
from vnvision.losses.margin.elasticface import ElasticFace
from vnvision.losses.margin.head import MarginHead, margin_loss
from vnvision.losses.margin.heads import HEADS, build_head, head_options
from vnvision.losses.margin.magface import MagFace
from vnvision.losses.margin.sphereface2 import SphereFace2
from vnvision.losses.margin.subcenter_arcface import SubCenterArcFace
from vnvision.losses.margin.uniface import UniFace

__all__ = [
    "HEADS",
    "AMSoftmax",
    "AdaFace",
    "ArcFace",
    "ClassCentres",
    "CombinedMargin",
    "Comparison",
    "CosFace",
    "CurricularFace",
    "ElasticFace",
    "MagFace",
    "MarginHead",
    "SphereFace2",
    "SubCenterArcFace",
    "UniFace",
    "build_head",
    "class_cosines",
    "compare",
    "head_options",
    "margin_loss",
    "unit_rows",
    "with_own",
]
