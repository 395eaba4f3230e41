"""What the gate said against what was planted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vnvision.export import faults
from vnvision.export.result import GateResult

from .planning import COLOUR, DOUBLE, FAULTS, LAYOUT, NONE, RANGE, SATURATION, Planned

PASSED, OTHER, NOT_MADE = "passed", "something else", "not made"
_TOLD = {
    faults.TWICE: DOUBLE,
    faults.SWAPPED: COLOUR,
    "layout": LAYOUT,
    faults.RANGE: RANGE,
    faults.UNIT_TWICE: RANGE,
    faults.RAW: RANGE,
    "saturated": SATURATION,
}


def told(result: GateResult | None) -> str:
    """The fault that a diagnosis names; two faults at once, or none of those planted, are something else."""
    if result is None:
        return NOT_MADE
    if result.passed:
        return PASSED
    if result.diagnosis.startswith(faults.AND):
        return OTHER
    return next((fault for start, fault in _TOLD.items() if result.diagnosis.startswith(start)), OTHER)


def summary(sealed: Sequence[Planned], results: Sequence[GateResult | None]) -> dict[str, Any]:
    """Open the list and count.

    Args:
        sealed: what was planted.
        results: what the gate said, in that order.

    Returns:
        ``confusion`` planted -> said -> count, ``missed``, ``false_alarms`` and ``wrong`` as numbers of
        exports, ``right_diagnoses``, and a row for every export.
    """
    said = [told(result) for result in results]
    pairs = list(zip(sealed, said, strict=True))
    confusion = {fault: Counter(word for plan, word in pairs if plan.fault == fault) for fault in FAULTS}
    right = [word == (PASSED if plan.fault == NONE else plan.fault) for plan, word in pairs]
    return {
        "confusion": {fault: dict(row) for fault, row in confusion.items() if row},
        "missed": [plan.number for plan, word in pairs if plan.fault != NONE and word == PASSED],
        "false_alarms": [plan.number for plan, word in pairs if plan.fault == NONE and word != PASSED],
        "wrong": [plan.number for plan, ok in zip(sealed, right, strict=True) if not ok],
        "right_diagnoses": sum(right),
        "rows": [
            {**asdict(plan), "said": word, "gate": result and result.model_dump(mode="json")}
            for (plan, word), result in zip(pairs, results, strict=True)
        ],
    }


def table(found: dict[str, Any]) -> str:
    """The confusion matrix as text."""
    columns = (PASSED, *FAULTS[1:], OTHER, NOT_MADE)
    lines = ["planted \\ said".ljust(22) + "".join(name.rjust(22) for name in columns)]
    for fault, row in found["confusion"].items():
        lines.append(fault.ljust(22) + "".join(str(row.get(name, 0)).rjust(22) for name in columns))
    counts = f"missed {len(found['missed'])}, false alarms {len(found['false_alarms'])}"
    return "\n".join([*lines, f"{counts}, diagnosis right in {found['right_diagnoses']} of {found['n']}"])
