"""The parts of a model card about its files: how they are calibrated, how far they agree, what they cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vnvision.export.card_facts import metric_rows, split_words, target_rows
from vnvision.export.card_text import FAULT_NAMES, TEXT
from vnvision.export.markdown import bullets, localised, number, plain, short, table
from vnvision.export.result import NOT_RUN, TOLERANCES, GateResult
from vnvision.records import AbstentionRule, BundleManifest, Calibration, Metric, OperatingPoint, TargetRecord
from vnvision.report.phrases import Language, known_or, local
from vnvision.runtime.target import DENSE


def first_target(manifest: BundleManifest) -> TargetRecord:
    """The file whose calibration and thresholds the card tells; those of others differ little from it."""
    return next(iter(manifest.targets.values()))


def is_dense(manifest: BundleManifest) -> bool:
    """Masks or boxes: no probability of the whole picture, hence nothing to calibrate or withhold."""
    return manifest.task.kind in DENSE


def calibration_lines(manifest: BundleManifest, language: Language) -> Iterator[str]:
    """Temperature, when the model does not answer, what was promised, thresholds."""
    text, calibration = TEXT[language], first_target(manifest).calibration
    if is_dense(manifest):
        yield text["scores"]
        return
    if calibration.n > 0:
        value = "; ".join(number(one, language) for one in calibration.temperatures)
        fitted = split_words(calibration.fitted_on, language)
        yield text["temperature"].format(value=value, fitted=fitted, n=calibration.n)
    else:
        yield text["uncalibrated"]
    rule = calibration.abstention
    if rule is not None and rule.bound is None:
        yield text["nothing_answered"].format(risk=number(rule.risk, language))
    elif calibration.abstain_below is None:
        yield text[_answers(calibration)]
    else:
        yield text["abstains"].format(value=number(calibration.abstain_below, language))
    if rule is not None and rule.bound is not None:
        yield _promise(rule, language)
    if calibration.scope_file:
        yield text["scope"].format(file=plain(calibration.scope_file))
    if (lesions := calibration.lesions) is not None:
        percent = number(100 * lesions.least_share, language, 2)
        yield text["looks_healthy"].format(percent=percent, fitted=plain(lesions.fitted_on))
    yield from (_point(point, language) for point in first_target(manifest).operating_points)


def _answers(calibration: Calibration) -> str:
    """Key of what a model without an abstention limit answers."""
    if calibration.lesions is not None:
        return "no_limit"
    return "answers_in_scope" if calibration.scope_file else "never_abstains"


def _promise(rule: AbstentionRule, language: Language) -> str:
    figures = {name: getattr(rule, name) for name in ("risk", "delta", "bound", "coverage")}
    values = {name: number(value, language) for name, value in figures.items()}
    return TEXT[language]["guarantee"].format(**values, n=rule.n)


def _point(point: OperatingPoint, language: Language) -> str:
    ((_, achieved, interval, n),) = metric_rows({"": point.achieved}, language)
    return TEXT[language]["point"].format(
        where=f"{plain(point.label or '–')} ({plain(point.target)})",
        threshold=number(point.threshold, language),
        achieved=achieved,
        interval=interval,
        n=n,
        population=split_words(point.population, language),
    )


def target_blocks(
    manifest: BundleManifest,
    results: Mapping[str, GateResult],
    sizes_bytes: Mapping[str, int],
    language: Language,
) -> list[str]:
    """A table of files, how they were compared, what golden pictures miss, what coarser numbers cost."""
    text, results = TEXT[language], {key: results[key] for key in manifest.targets}
    rows = target_rows(manifest.targets, results, sizes_bytes, language)
    limits = "; ".join(
        f"{precision} {short(TOLERANCES[precision].relative, language)}"
        for precision in dict.fromkeys(result.precision for result in results.values())
    )
    blind = dict.fromkeys(fault for result in results.values() for fault in result.blind_to)
    notes = [text["parity"].format(n=next(iter(results.values())).n, limits=limits)]
    if blind:
        names = FAULT_NAMES if language == "vi" else {}
        notes.append(text["blind"].format(faults="; ".join(names.get(n, n) for n in blind)))
    return [table(text["target_columns"], rows), *notes, bullets(_reduced(manifest, language))]


def _reduced(manifest: BundleManifest, language: Language) -> Iterator[str]:
    """What coarser numbers cost, and which files were not run."""
    for key, record in manifest.targets.items():
        if record.judged is not None:
            found = record.judged
            yield TEXT[language]["judged"].format(
                target=plain(key),
                metric=plain(local(known_or("metric", found.metric), language)),
                change="–" if found.change.value is None else _signed(found.change, language),
                n=found.n,
            )
        elif record.proven_by == NOT_RUN:
            yield TEXT[language]["not_run"].format(target=plain(key))


def _signed(change: Metric, language: Language) -> str:
    """``+0.012 [-0.003, +0.020]``."""
    ends = [f"{end:+.3f}" for end in (change.low, change.high) if end is not None]
    mark = "; " if language == "vi" else ", "
    parts = [localised(part, language) for part in (f"{change.value:+.3f}", *ends)]
    return f"{parts[0]} [{mark.join(parts[1:])}]" if ends else parts[0]
