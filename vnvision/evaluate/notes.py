"""What an evaluation may warn of. One table, so that reports can translate every warning.

Each text is a ``str.format`` template.
"""

from __future__ import annotations

SMALL = "small test set: {images} images in {groups} groups; intervals are wide and may still be too narrow"
NO_GROUPS = (
    "no group_id: each image counts as its own group; if some belong together, intervals are too narrow"
)
SOME_WITHOUT_GROUP = "{count} of {images} images have no group_id and count as their own group"
UNKNOWN_LEFT_OUT = "{count} rows with an unknown label were left out"
UNKNOWN_ENTRIES = "{count} of {entries} label entries are unknown and were left out"
CLASS_MISSING = "no image of: {labels}; nothing can be said about them"
CLASS_RARE = "fewer than {limit} images of: {labels}; their figures are rough"
SAME_DATA = "temperatures or limits were fitted on this very data: calibration figures are too good"
MANY_VALUES = "column {column} has {count} values; the {shown} most frequent are shown"
MANIFEST = "manifest: {text}"
SENSITIVITY_THERE = "sensitivity at this threshold {value} ({low} to {high}, n={n})"
SENSITIVITY_ONLY = "sensitivity at this threshold {value} (n={n})"
SHORTCUT = (
    "the {name} alone tells the label of {guessed} of images (the commonest label: {blind}): "
    "a model may learn that instead"
)
UNEVEN = "classes are uneven: {most}, {least}"
