"""What a probe's figures mean, in one word and in one sentence."""

from __future__ import annotations

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate import shortcut_texts as texts
from vnvision.evaluate.shortcut_records import Measure, Verdict
from vnvision.records import Metric

STRONG = 1 / 3
"""Share of the way from chance to perfect that a strong shortcut goes."""
FEW_GROUPS = 30


def verdict_of(reached: Metric, chance: float, luck: float) -> Verdict:
    """One word; see ``ProbeRow``. ``luck`` is the best of the shuffles; ``reached`` has the wide interval."""
    if reached.value is None or reached.low is None or chance >= 1:
        return "unknown"
    if reached.low <= chance or reached.value <= luck:
        return "none"
    return "strong" if reached.value - chance >= STRONG * (1 - chance) else "some"


def sentence(
    seen: tuple[str, str | None],
    verdict: str,
    judged_on: str,
    reached: Metric,
    chance: float,
    language: texts.Language,
) -> str:
    """The verdict on one view, ``seen`` being its name and cover, as a sentence with its figures."""
    name = texts.view_name(*seen, language)
    if reached.value is None or reached.low is None or reached.high is None:
        return texts.say(texts.VERDICTS["unknown"], language, view=name)
    numbers = {"value": reached.value, "low": reached.low, "high": reached.high, "chance": chance}
    said = {key: texts.number(value, language) for key, value in numbers.items()}
    measure = texts.say(texts.MEASURES[judged_on], language)
    reaches = texts.say(texts.REACHES, language, view=name, measure=measure, **said)
    key = texts.verdict_key(*seen, verdict)
    return texts.say(texts.VERDICTS[key], language, reaches=reaches)


def chance_of(truth: np.ndarray, measure: Measure) -> float:
    """Accuracy of always the commonest answer; or balanced accuracy of any guessing."""
    if truth.ndim == 1:
        counts = np.bincount(truth) if len(truth) else np.ones(1)
        if measure == "balanced_accuracy":
            return 1 / int((counts > 0).sum())
        return float(counts.max() / counts.sum())
    if measure == "balanced_accuracy":
        return 0.5
    shares = [float((column[column >= 0] == 1).mean()) for column in truth.T if (column >= 0).any()]
    return float(np.mean([max(share, 1 - share) for share in shares])) if shares else 1.0


def warnings(test: Manifest, name: str, on_accuracy: bool) -> tuple[str, ...]:
    """What to know of the rows that were asked about, in English (``shortcut_texts.warning`` translates)."""
    groups, out = len(set(test.group_keys())), []
    if name == "test":
        out.append(texts.say(texts.WARNINGS["test_split"], "en"))
    if groups < FEW_GROUPS:
        fields = {"images": str(len(test)), "groups": str(groups)}
        out.append(texts.say(texts.WARNINGS["few"], "en", **fields))
    if on_accuracy:
        out.append(texts.say(texts.WARNINGS["judged_on_accuracy"], "en"))
    if all(row.group_id is None for row in test.rows):
        out.append(texts.say(texts.WARNINGS["no_groups"], "en"))
    return tuple(out)
