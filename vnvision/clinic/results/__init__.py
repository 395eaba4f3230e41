"""A model's answer about one DICOM image, written as DICOM: report, picture, segmentation. No torch.

pydicom and highdicom load when the first result is written (extra ``clinic``).
"""

from __future__ import annotations

from vnvision.clinic.results.records import Language, ModelFacts, ResultFiles
from vnvision.clinic.results.write import write_results

__all__ = ["Language", "ModelFacts", "ResultFiles", "write_results"]
