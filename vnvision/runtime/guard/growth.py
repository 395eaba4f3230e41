"""Operators of ONNX that make a huge tensor of a small one."""

from __future__ import annotations

from math import prod

from vnvision.runtime.guard.limits import MOST_VALUES
from vnvision.runtime.guard.refusal import UnfitError

# Which input says how large the output is, and the most its product may be.
_GROWING = {
    "ConstantOfShape": (0, MOST_VALUES),
    "Expand": (1, MOST_VALUES),
    "Tile": (1, 4096),
    "Upsample": (1, 4096),
    "OneHot": (1, 65536),
}


def check_growth(kind: str, where: str, operands: list[tuple[float, ...] | None]) -> None:
    """Refuse an operator that makes a huge tensor of a small one, as far as the file says how huge."""
    checks: list[tuple[tuple[float, ...] | None, float]] = []
    if kind in _GROWING:
        place, most = _GROWING[kind]
        checks.append((operands[place] if len(operands) > place else None, most))
    elif kind == "Resize":
        checks += [(values, 4096) for values in operands[1:3]]  # the region and the scales
        checks += [(values, MOST_VALUES) for values in operands[3:4]]
    elif kind == "Pad" and len(operands) > 1 and operands[1]:
        checks.append(((max(map(abs, operands[1])),), 16384))
    elif kind == "Range" and len(operands) == 3 and all(operands):
        start, end, step = (values[0] for values in operands if values)
        checks.append((((end - start) / step if step else float("inf"),), MOST_VALUES))
    for values, limit in checks:
        if values is not None and not prod(abs(value) for value in values if value) <= limit:
            raise UnfitError(
                "has an operator that makes a tensor of absurd size",
                expected=f"at most {limit:g}",
                got=f"{where} with {', '.join(f'{value:g}' for value in values[:8])}",
            )
