"""What a face evaluation may warn of. One table, so that reports can translate every warning.

Each text is a ``str.format`` template.
"""

from __future__ import annotations

NO_TEMPLATE = "{failed} of {images} images gave no template and are in no comparison"
NO_IDENTITY = "{images} images without an identity left out"
FEW_PERSONS = "{subjects} persons, fewer than {limit}: intervals are wide and may still be too narrow"
FMR_UNSUPPORTED = "an FMR of {target} needs {needed} impostor comparisons, here are {n}: not supported"
FPIR_UNSUPPORTED = (
    "an FPIR of {target} needs {needed} searches of unknown people, here are {n}: not supported"
)
SAME_DATA = "the threshold was set on this very data: expect somewhat other rates on new data"
PAIRS_LEFT_OUT = "{left} of {pairs} pairs left out: an image gave no template"
FIXED_THRESHOLD = "interval for this very threshold: that the threshold itself is an estimate is not in it"
NO_PERSONS = "the set does not say who is shown: each pair counts as independent, intervals are too narrow"
WITHIN = "only images with equal {column} are compared, those without one with none"
NO_MODEL = "the embedder is not stated: the threshold belongs to one embedder only"
