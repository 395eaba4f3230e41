"""One number for a face picture: the weighted geometric mean of measures, each mapped to 0..1 by a ramp.

Nothing is learned. Ramps end where a measure is past use and where more of it no longer helps; ends and
weights were set by hand on one half of the identities of ``asianfaces_dev`` and of LFW (two folds, as they
are and with synthetic blur, darkness, glare and shrinking), those for which ``crc32(identity)`` is even. The
other half shows what the score is worth: ``training/benchmarks/quality_discard.py``. The mean luminance is
not in it, so that skin tone alone does not move it. The detector's part is set for YuNet, and for SFace's
errors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

from vnvision.errors import DataError
from vnvision.faces.quality.ramp import ramp

_LEAST = 0.01  # so that one measure at its worst leaves the others something to say


class Part(NamedTuple):
    """How a measure enters the score: 0 to ``worst``, 1 from ``best`` on; of angles the size counts."""

    worst: float
    best: float
    weight: float


# In order of weight.
PARTS: dict[str, Part] = {
    "detector_score": Part(0.85, 0.95, 4.0),
    "eye_edge": Part(0.01, 0.06, 1.0),
    "yaw_deg": Part(50, 10, 1.0),
    "roll_deg": Part(40, 5, 1.0),
    "over_exposed": Part(0.30, 0.02, 1.0),
    "completeness": Part(0.50, 1.00, 1.0),
    "under_exposed": Part(0.30, 0.02, 0.5),
    "contrast": Part(0.05, 0.30, 0.5),
    "dynamic_range": Part(3.0, 6.5, 0.5),
    "sharpness": Part(0.30, 0.60, 0.5),
    "inter_eye_distance_px": Part(12, 48, 0.5),
    "pitch_deg": Part(45, 15, 0.5),
    "mouth_visibility": Part(0.10, 0.80, 0.5),
    "evenness": Part(0.20, 0.70, 0.25),
}


def combined_score(values: Mapping[str, float]) -> float:
    """1..100, higher is better: 100 * product of ramp ** (weight / sum of weights), no ramp below 0.01.

    Args:
        values: of ``measure_values``.

    Raises:
        DataError: a measure is missing.
    """
    missing = sorted(PARTS.keys() - values.keys())
    if missing:
        raise DataError("a quality score needs every measure", expected=", ".join(PARTS), got=f"no {missing}")
    total = 0.0
    for name, part in PARTS.items():
        value = abs(values[name]) if name.endswith("_deg") else values[name]
        total += part.weight * math.log(max(ramp(value, part.worst, part.best), _LEAST))
    return 100 * math.exp(total / sum(part.weight for part in PARTS.values()))
