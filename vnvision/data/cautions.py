"""What to be wary of in a data set, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from vnvision.data.rows import Row

IMBALANCE = 10.0
"""Largest to smallest class, from which it is worth a warning."""

WIDE_INTERVAL = 0.10
SHORTCUT_GAIN = 0.20
ImageFacts = tuple[str, int, int]  # format, width, height in pixels


def wilson(successes: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Interval of a proportion (Wilson 1927, "Probable Inference, the Law of Succession")."""
    centre = (successes + z * z / 2) / (n + z * z)
    rate = successes / n
    half = z / (n + z * z) * math.sqrt(n * rate * (1 - rate) + z * z / 4)
    return centre - half, centre + half


def imbalance(labels: dict[str, int]) -> Iterable[str]:
    """Whether one class has ten times the examples of another."""
    counts = {label: count for label, count in labels.items() if count}
    if len(counts) > 1 and max(counts.values()) >= IMBALANCE * min(counts.values()):
        most, least = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        yield f"classes are uneven: {counts[most]} of {most}, {counts[least]} of {least}"


def absent(labels: dict[str, int], splits: dict[str, dict[str, Any]]) -> Iterable[str]:
    """Splits that lack a label."""
    for name, part in splits.items():
        absent = [label for label in labels if not part["labels"].get(label)]
        if absent:
            yield f"{name} has no example of {', '.join(absent)}"


def small_test(splits: dict[str, dict[str, Any]]) -> Iterable[str]:
    """What the size of the test split says about what it can show; nothing for one split looked at alone."""
    test = splits.get("test")
    if test is None:
        if "train" in splits or not splits:
            yield "there is no test split"
        return
    n = test["images"]
    low, high = wilson(0.9 * n, n)
    if high - low > WIDE_INTERVAL:
        yield (
            f"the test split is small: with {n} images, an accuracy of 90 % has a 95 % interval of "
            f"{low:.0%} to {high:.0%}, wider if images of a group are alike"
        )
    few = [f"{label} ({count})" for label, count in test["labels"].items() if 0 < count < 20]
    if few:
        yield f"fewer than 20 test images of {', '.join(few)}: their sensitivity is hardly known"


def shortcuts(rows: Sequence[Row], facts: Sequence[ImageFacts | None]) -> Iterable[str]:
    """Facts that give the label away without looking at what the image shows."""
    columns: dict[str, list[object]] = {
        "source": [row.source for row in rows],
        "region": [row.region for row in rows],
    }
    if facts:
        columns["image size"] = [fact and fact[1:] for fact in facts]
        columns["image format"] = [fact and fact[0] for fact in facts]
    for name, values in columns.items():
        pairs = [(value, row.label) for value, row in zip(values, rows, strict=True) if row.label is not None]
        if len({value for value, _ in pairs}) < 2:
            continue
        guessed, blind = guess_rate(pairs)
        if guessed - blind >= SHORTCUT_GAIN:
            yield (
                f"the {name} alone tells the label of {guessed:.0%} of images "
                f"(the commonest label: {blind:.0%}): a model may learn that instead"
            )


def guess_rate(pairs: Sequence[tuple[object, str]]) -> tuple[float, float]:
    """How often the commonest label among the *other* rows with the same value is right, and how often the
    commonest label of all is. A value seen once, or a tie, falls back on the latter.
    """
    overall = Counter(label for _, label in pairs)
    commonest = min(overall, key=lambda label: (-overall[label], label))
    by_value: dict[object, Counter[str]] = {}
    for value, label in pairs:
        by_value.setdefault(value, Counter())[label] += 1
    right = 0
    for counts in by_value.values():
        for label, count in counts.items():
            rest = max((other for key, other in counts.items() if key != label), default=0)
            if count - 1 > rest or (count - 1 == rest and label == commonest):
                right += count
    return right / len(pairs), overall[commonest] / len(pairs)
