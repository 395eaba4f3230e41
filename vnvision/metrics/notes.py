"""What a metric's ``note`` may say. One table, so that reports can translate every note.

Each text is a ``str.format`` template without ``SEPARATOR``, which joins several.
"""

from __future__ import annotations

ONE_GROUP = "measured on one group only: no interval can be given"
NO_RESAMPLES = "no resamples were asked for: no interval"
NO_IMAGES = "no images: not defined"
EXACT = "no variation between resamples: exact Clopper-Pearson interval on {groups} groups"
NO_VARIATION = "no variation between resamples: no interval can be given"
SOME_UNDEFINED = "not defined in {undefined} of {resamples} resamples, where a class is missing"
MOSTLY_UNDEFINED = (
    "not defined in {undefined} of {resamples} resamples, where a class is missing: no interval"
)
CLASS_ABSENT = "no image of this class: not defined"
ONLY_CLASS = "every image is of this class: not defined"
NEVER_ANSWERED = "this class was never the answer: not defined"
FEW_CLASSES = "fewer than two classes present: not defined"
LEFT_OUT = "mean over the classes present, not defined for {labels}"
EMPTY_MACRO = "not defined for any class"
NOTHING_KEPT = "every answer was withheld: not defined"
NO_COMPARISONS = "no comparisons: not defined"
EFFECTIVE = "no variation: exact Clopper-Pearson interval on an effective number of {number} comparisons"
NO_REFERENCE_ERRORS = "no error in the reference group: no ratio"
FEW_SUBJECTS = "{group}: {subjects} subjects, fewer than {limit}"
FEW_COMPARISONS = "{group}: {n} impostor comparisons, fewer than the {needed} that an FMR of {target} needs"
NO_FALSE_MATCH = "{group}: no false match seen, which shows an FMR below {high} and not one of zero"
NO_FALSE_NON_MATCH = "{group}: no false non-match seen, which shows an FNMR below {high} and not one of zero"
NOBODY_ENROLLED = "{group}: no comparison at all, failure to enrol {rate} of {n} attempts"
NO_KNOWN_GROUP = "{images} images without a known group left out"
TOGETHER = "interval holds for all {number} rates behind it together"
NOT_ALL = "not defined for {species}, left out"
SEPARATOR = "; "


def join(*notes: str | None) -> str | None:
    """The given notes as one text, or None where there is none."""
    return SEPARATOR.join(note for note in notes if note) or None
