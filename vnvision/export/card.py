"""MODEL_CARD.md: what a model is for, how good it is, where from, and what nobody knows yet.

Follows the headings of Mitchell et al. 2019, "Model Cards for Model Reporting", shortened; Vietnamese first,
then English.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vnvision.export.card_facts import (
    data_lines,
    metric_rows,
    preprocess_lines,
    provenance_lines,
    target_rows,
    warning_line,
)
from vnvision.export.card_text import FAULT_NAMES, TEXT
from vnvision.export.markdown import bullets, localised, number, plain, short, table
from vnvision.export.result import NOT_RUN, TOLERANCES, GateResult
from vnvision.records import BundleManifest, EvalReport, Metric, OperatingPoint, TargetRecord
from vnvision.report.phrases import Language, known_or, local
from vnvision.runtime.target import DENSE


def model_card(
    manifest: BundleManifest,
    report: EvalReport | None,
    results: Mapping[str, GateResult],
    sizes_bytes: Mapping[str, int],
) -> str:
    """The card as Markdown. Every text that came from outside is escaped.

    Args:
        manifest: of the bundle; its file hashes are not used.
        report: the evaluation, if there was one.
        results: the parity gate's figures, by target.
        sizes_bytes: size of each target's files.
    """
    parts = [f"# {plain(manifest.name)}"]
    for language in TEXT:
        parts += _Card(manifest, report, results, sizes_bytes, language).sections()
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class _Card:
    """One language's half of the card."""

    manifest: BundleManifest
    report: EvalReport | None
    results: Mapping[str, GateResult]
    sizes: Mapping[str, int]
    language: Language

    @property
    def text(self) -> Mapping[str, str]:
        """This language's words."""
        return TEXT[self.language]

    def sections(self) -> list[str]:
        """Every section, heading included, in order."""
        banners = [self.text["synthetic"]] if self.manifest.synthetic else []
        banners += [self.text["clinic"]] if self.manifest.provenance.get("domain") == "clinic" else []
        purpose = self.manifest.provenance.get("purpose")
        named = {
            "purpose": [plain(purpose, 2000) if purpose else self.text["no_purpose"]],
            "task": self._task(),
            "data": self._data(),
            "results": list(self._results()),
            "calibration": [bullets(self._calibration())],
            "preprocess": [bullets(self._preprocess())],
            "targets": self._targets(),
            "licences": [bullets(self._licences())],
            "provenance": [bullets(provenance_lines(self.manifest.provenance))],
            "limits": [bullets(self._limits())],
            "use": self._use(),
        }
        parts = [f"## {self.text['language']}", *(f"> {banner}" for banner in banners)]
        for key, body in named.items():
            parts += [f"### {self.text[key]}", *(block for block in body if block)]
        return parts

    def _task(self) -> list[str]:
        task = self.manifest.task
        words = self.text[task.kind].format(dim=task.embedding_dim)
        rows = [
            (str(i), plain(label.id), plain(label.vi or "–"), plain(label.en or "–"))
            for i, label in enumerate(task.labels)
        ]
        return [words, table(self.text["labels"], rows)] if rows else [words]

    def _data(self) -> list[str]:
        if self.report is None:
            return [self.text["no_data"]]
        return [bullets(data_lines(self.report.data, self.language))]

    def _results(self) -> Iterator[str]:
        report = self.report
        if report is None:
            yield self.text["not_measured"]
            return
        yield self.text["measured"].format(split=plain(report.split), n=report.n, groups=report.n_groups)
        yield table(self.text["metrics"], metric_rows(report.metrics, self.language))
        if report.per_class:
            yield f"#### {self.text['per_class']}"
            yield self._metrics_of(report.per_class.items())
        for column in dict.fromkeys(group.column for group in report.groups):
            words = plain(local(known_or("column", column), self.language).lower())
            yield f"#### {self.text['groups'].format(column=words)}"
            yield self._metrics_of((row.value, row.metrics) for row in report.groups if row.column == column)
        yield bullets(warning_line(text, self.language) for text in report.warnings)

    def _metrics_of(self, parts: Iterable[tuple[str, Mapping[str, Metric]]]) -> str:
        """One table over several parts of the data, the part's name before each metric."""
        rows = [
            (f"{plain(name)}: {row[0]}", *row[1:])
            for name, metrics in parts
            for row in metric_rows(metrics, self.language)
        ]
        return table(self.text["metrics"], rows)

    def _calibration(self) -> Iterator[str]:
        calibration = self._first_target().calibration
        if self._is_dense():
            yield self.text["scores"]
        elif self._is_calibrated():
            value = "; ".join(number(t, self.language) for t in calibration.temperatures)
            fitted = plain(calibration.fitted_on)
            yield self.text["temperature"].format(value=value, fitted=fitted, n=calibration.n)
        else:
            yield self.text["uncalibrated"]
        if self._is_dense():
            return
        rule = calibration.abstention
        if rule is not None and rule.bound is None:
            yield self.text["nothing_answered"].format(risk=number(rule.risk, self.language))
        elif calibration.abstain_below is None:
            yield self.text["never_abstains"]
        else:
            yield self.text["abstains"].format(value=number(calibration.abstain_below, self.language))
        if rule is not None and rule.bound is not None:
            figures = {name: getattr(rule, name) for name in ("risk", "delta", "bound", "coverage")}
            values = {name: number(value, self.language) for name, value in figures.items()}
            yield self.text["guarantee"].format(**values, n=rule.n)
        if calibration.scope_file:
            yield self.text["scope"].format(file=plain(calibration.scope_file))
        yield from (self._point(point) for point in self._first_target().operating_points)

    def _point(self, point: OperatingPoint) -> str:
        ((_, achieved, interval, n),) = metric_rows({"": point.achieved}, self.language)
        return self.text["point"].format(
            where=f"{plain(point.label or '–')} ({plain(point.target)})",
            threshold=number(point.threshold, self.language),
            achieved=achieved,
            interval=interval,
            n=n,
            population=plain(point.population),
        )

    def _first_target(self) -> TargetRecord:
        """All targets of a bundle carry the same calibration and thresholds."""
        return next(iter(self.manifest.targets.values()))

    def _is_calibrated(self) -> bool:
        return self._first_target().calibration.n > 0

    def _is_dense(self) -> bool:
        """Masks or boxes: no probability of the whole picture, hence nothing to calibrate or withhold."""
        return self.manifest.task.kind in DENSE

    def _preprocess(self) -> Iterator[str]:
        yield from preprocess_lines(self.manifest.task.preprocess, self.language)
        inside = {key: record.converter_took for key, record in self.manifest.targets.items()}
        for key, steps in inside.items():
            if steps:
                yield self.text["inside"].format(target=plain(key), steps=", ".join(steps))
        if not any(inside.values()):
            yield self.text["outside"]

    def _targets(self) -> list[str]:
        rows = target_rows(self.manifest.targets, self.results, self.sizes, self.language)
        limits = "; ".join(
            f"{precision} {short(TOLERANCES[precision].relative, self.language)}"
            for precision in dict.fromkeys(result.precision for result in self.results.values())
        )
        blind = dict.fromkeys(fault for result in self.results.values() for fault in result.blind_to)
        notes = [self.text["parity"].format(n=next(iter(self.results.values())).n, limits=limits)]
        if blind:
            names = FAULT_NAMES if self.language == "vi" else {}
            notes.append(self.text["blind"].format(faults="; ".join(names.get(n, n) for n in blind)))
        return [table(self.text["target_columns"], rows), *notes, bullets(self._reduced())]

    def _reduced(self) -> Iterator[str]:
        """What coarser numbers cost, and which files were not run."""
        for key, record in self.manifest.targets.items():
            if record.judged is not None:
                found = record.judged
                words = "–" if found.change.value is None else _signed(found.change, self.language)
                yield self.text["judged"].format(
                    target=plain(key), metric=plain(found.metric), change=words, n=found.n
                )
            elif record.proven_by == NOT_RUN:
                yield self.text["not_run"].format(target=plain(key))

    def _licences(self) -> Iterator[str]:
        licences = self.manifest.licences
        data = ", ".join(plain(text) for text in licences.training_data) or self.text["unknown"]
        yield self.text["code"].format(text=plain(licences.code))
        yield self.text["weights"].format(text=plain(licences.weights))
        yield self.text["training_data"].format(text=data)

    def _limits(self) -> Iterator[str]:
        yield self.text["limit_elsewhere"]
        if self.report is None or not any(group.column == "region" for group in self.report.groups):
            yield self.text["limit_regions"]
        if self._first_target().calibration.scope_file is None:
            yield self.text["limit_abstain"]
        if not self._is_calibrated() and not self._is_dense():
            yield self.text["limit_calibration"]
        yield self.text["limit_devices"]
        if all(record.judged is None for record in self.manifest.targets.values()):
            yield self.text["limit_precision"]

    def _use(self) -> list[str]:
        return [
            f"```sh\nvnvision predict BUNDLE image.jpg --language {self.language}\n```",
            '```python\nimport vnvision as vv\n\nvv.load_bundle("BUNDLE").predict("image.jpg")\n```',
        ]


def _signed(change: Metric, language: Language) -> str:
    """``+0.012 [-0.003, +0.020]``."""
    interval = (
        "" if change.low is None or change.high is None else f" [{change.low:+.3f}, {change.high:+.3f}]"
    )
    return localised(f"{change.value:+.3f}{interval}", language)
