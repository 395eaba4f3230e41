"""Face image quality: named measures, one score, and a gate that says why in Vietnamese and English."""

from vnvision.faces.quality.gate import LIMITS, Limits, QualityGate, Reason, Verdict
from vnvision.faces.quality.record import Quality, assess, measure, quality_of, with_quality

__all__ = [
    "LIMITS",
    "Limits",
    "Quality",
    "QualityGate",
    "Reason",
    "Verdict",
    "assess",
    "measure",
    "quality_of",
    "with_quality",
]
