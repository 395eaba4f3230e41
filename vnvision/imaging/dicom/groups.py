"""Where a multi-frame file keeps what belongs to one frame (PS3.3 C.7.6.16)."""

from __future__ import annotations

from vnvision.imaging.dicom.elements import Elements

KEYWORDS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")


def group(elements: Elements, frame: int, keyword: str) -> Elements | None:
    """The functional group of a frame: its own, or the one shared by all; None where there is none."""
    own = elements.items("PerFrameFunctionalGroupsSequence")
    for home in (own[frame : frame + 1], elements.items("SharedFunctionalGroupsSequence")[:1]):
        if home and (items := home[0].items(keyword)):
            return items[0]
    return None


def holding(elements: Elements, frame: int, keyword: str, *wanted: str) -> Elements:
    """A frame's functional group where it holds all that is wanted, the data set itself otherwise."""
    found = group(elements, frame, keyword)
    if found is not None and all(found.numbers(name) for name in wanted):
        return found
    return elements
