"""The results part of a model card: the figure to remember, tables by label and by group, warnings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from vnvision.export.card_facts import metric_rows, split_words, warning_line
from vnvision.export.card_text import TEXT
from vnvision.export.markdown import bullets, plain, table
from vnvision.hub.cards import Card
from vnvision.hub.knowledge import label_text
from vnvision.records import EvalReport, Metric
from vnvision.report.phrases import Language, known_or, local
from vnvision.spec import TaskSpec

HEADLINES = ("accuracy", "dice", "map50")
"""The one figure of each task; the first that a report has."""

NO_COLUMN = "manifest: no column"
"""How a report says that a manifest lacks licences; a card credits its data itself."""


def headline(report: EvalReport | None, card: Card, language: Language) -> str:
    """The one result to remember, where there is one."""
    if report is None:
        return TEXT[language]["not_measured"]
    found = next((key for key in (card.headline, *HEADLINES) if key in report.metrics), None)
    if found is None:
        return _measured(report, language)
    ((words, value, interval, _),) = metric_rows({found: report.metrics[found]}, language)
    return f"{_measured(report, language)} {words}: **{value}** {interval}."


def result_blocks(
    task: TaskSpec, report: EvalReport | None, language: Language, *, credited: bool
) -> Iterator[str]:
    """Every figure with its interval, overall, by label, by group of the data, and what to know before use.

    Args:
        task: for the names of labels.
        report: None: nothing was measured, and that is said.
        language: vi or en.
        credited: the card credits the data, so warnings of columns without licences are left out.
    """
    text = TEXT[language]
    if report is None:
        yield text["not_measured"]
        return
    yield _measured(report, language)
    yield table(text["metrics"], metric_rows(report.metrics, language))
    if report.per_class:
        names = label_names(task, report, language)
        yield f"#### {text['per_class']}"
        parts = ((names.get(key, key), metrics) for key, metrics in report.per_class.items())
        yield table(*_matrix(parts, text["label_column"], language))
    for column, rows in divided(report).items():
        words = plain(local(known_or("column", column), language).lower())
        yield f"#### {text['groups'].format(column=words)}"
        yield table(*_matrix(rows, text["group_column"], language))
    warnings = (line for line in report.warnings if not (credited and line.startswith(NO_COLUMN)))
    yield bullets(warning_line(line, language) for line in warnings)


def divided(report: EvalReport | None) -> dict[str, list[tuple[str, Mapping[str, Metric]]]]:
    """The rows of each column that divides the data; one value for all of it tells nothing new."""
    found: dict[str, list[tuple[str, Mapping[str, Metric]]]] = {}
    for group in report.groups if report else ():
        if report is not None and group.n < report.n:
            found.setdefault(group.column, []).append((group.value, group.metrics))
    return found


def label_names(task: TaskSpec, report: EvalReport | None, language: Language) -> dict[str, str]:
    """What labels are called: the model's own, and others of the set whose texts it names."""
    others = report.data.get("labels", {}) if report else {}
    found = {key: label_text(task.texts, key) for key in others} if task.texts else {}
    known = {key: text.name(language) for key, text in found.items() if text is not None}
    return known | {label.id: label.text(language) for label in task.labels}


def _measured(report: EvalReport, language: Language) -> str:
    split = split_words(report.split, language)
    return TEXT[language]["measured"].format(split=split, n=report.n, groups=report.n_groups)


def _matrix(
    parts: Iterable[tuple[str, Mapping[str, Metric]]], head: str, language: Language
) -> tuple[str, list[list[str]]]:
    """Several parts of the data, a row each, a column a metric; the header, and cells that are Markdown.

    The metric called ``n`` is how many of the part there are; without it the largest count of its metrics.
    """
    rows = [(plain(name), dict(metrics)) for name, metrics in parts]
    columns = list(dict.fromkeys(key for _, metrics in rows for key in metrics if key != "n"))
    names = [plain(local(known_or("metric", key), language)) for key in columns]
    body = []
    for name, metrics in rows:
        told = dict(zip(metrics, metric_rows(metrics, language), strict=True))
        count = metrics["n"].value if "n" in metrics else max((one.n for one in metrics.values()), default=0)
        cells = [_short_cell(told[key]) if key in told else "–" for key in columns]
        body.append([name, f"{count or 0:.0f}", *cells])
    return " | ".join([head, TEXT[language]["n_column"], *names]), body


def _short_cell(row: tuple[str, str, str, str]) -> str:
    """Value and interval; the level is told once, above."""
    _, value, interval, _ = row
    return value if interval == "–" else f"{value} {interval.rsplit(' (', 1)[0]}"
