"""What is to be done with an attribute: the table first, the allow-list for what it does not name."""

from __future__ import annotations

from typing import Literal

from vnvision.clinic.deidentify import facts
from vnvision.clinic.deidentify.options import Options

Action = Literal["remove", "empty", "dummy", "uid", "keep", "clean", "allow"]
_BASIC: dict[str, Action] = {"X": "remove", "Z": "empty", "D": "dummy", "U": "uid"}
_NUMBER_GROUPS = frozenset({0x0008, 0x0018, 0x0020, 0x0022, 0x0028, 0x0040, 0x0054, 0x0062, 0x0066, 0x0070})
_NUMBER_GROUPS_OF_RADIOTHERAPY = frozenset({0x3002, 0x3004, 0x3006, 0x3008, 0x300A, 0x300C})


def action(tag: int, options: Options) -> Action:
    """The action of PS3.15 Table E.1-1 under the options chosen; ``allow`` where the table is silent.

    Under several options the one that keeps most wins (K before C). Of alternatives such as X/Z/D the last
    is taken: it is the one that keeps the file valid whatever type the attribute has in its module, and none
    of them carries anything of the original.
    """
    row = facts.table().get(tag)
    if row is None:
        return "allow"
    chosen = {row.options[name] for name in options.columns if name in row.options}
    if "K" in chosen:
        return "keep"
    if "C" in chosen:
        return "clean"
    return _BASIC[row.basic.split("/")[-1].rstrip("*")]


def basic(tag: int) -> Action:
    """The Basic Profile's action for an attribute of the table."""
    return _BASIC[facts.table()[tag].basic.split("/")[-1].rstrip("*")]


def may_hold_numbers(tag: int) -> bool:
    """Whether numbers of this group describe images: not schedules, printers, stores or people."""
    return tag >> 16 in _NUMBER_GROUPS | _NUMBER_GROUPS_OF_RADIOTHERAPY
