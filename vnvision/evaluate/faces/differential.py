"""Who is in which demographic group, and which group others are held against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from vnvision.errors import DataError


def groups_of_persons(sides: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The group of each person, from (person, group) of each image; unknown groups are empty.

    Raises:
        DataError: a person is in two groups.
    """
    out: dict[str, str] = {}
    for person, group in sides:
        if out.setdefault(person, group) != group:
            both = " and ".join(sorted([out[person] or "unknown", group or "unknown"]))
            raise DataError(f"subject {person!r} is in two groups", expected="one", got=both)
    return out


def reference_group(group_of: Mapping[str, str], asked: str | None) -> str:
    """The group asked for, or the one with most persons; the first by name where tied.

    Raises:
        DataError: no group is known, or the group asked for does not exist.
    """
    sizes = Counter(group for group in group_of.values() if group)
    if not sizes:
        raise DataError("no image with a known group", expected="a group for each image", got="none")
    if asked is None:
        return min(sizes, key=lambda name: (-sizes[name], name))
    if asked not in sizes:
        raise DataError("no such reference group", expected=", ".join(sorted(sizes)), got=asked)
    return asked
