"""What a comparison of laboratory and field may say. One table, so that reports can translate."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.data.manifest import Manifest

ONE_SIDE = "not defined on one of the two sides"
NO_INTERVAL = "one of the two sides has no interval"
FEW_GROUPS = "{name}: only {groups} groups; its intervals are wide and may still be too narrow"
NO_GROUPS = "{name}: no group_id, each picture counts as a group of its own; intervals may be too narrow"
COPIES = "{count} field pictures look like copies of lab pictures: the field may be no other place"


def warnings(sides: Sequence[Manifest], copies: int | None, few: int) -> tuple[str, ...]:
    """What a reader must know before believing the two numbers.

    Args:
        sides: the rows judged, lab and field.
        copies: field pictures that look like one of the lab's.
        few: groups below which intervals are rough.
    """
    out = [COPIES.format(count=copies)] if copies else []
    for side in sides:
        groups = len(set(side.group_keys()))
        if all(row.group_id is None for row in side.rows):
            out.append(NO_GROUPS.format(name=side.path.name))
        elif groups < few:
            out.append(FEW_GROUPS.format(name=side.path.name, groups=groups))
    return tuple(out)
