"""What several verbs show the same way: a bar, a table of figures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vnvision.errors import MissingExtraError
from vnvision.records import EvalReport, Metric


@contextmanager
def bar(text: str, *, quiet: bool = False) -> Iterator[Callable[[int, int], None] | None]:
    """A progress callback (done, total); None where nobody watches."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(text, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def missing_train_extra() -> Iterator[None]:
    """Turn a missing package of the training layers into the line that says how to get it."""
    try:
        yield
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("vnvision"):
            raise
        raise MissingExtraError(exc.name or "torch", "train") from exc


def figure(metric: Metric) -> str:
    """``0.912 [0.85, 0.96]``, or why there is none."""
    if metric.value is None:
        return f"not defined ({metric.note})" if metric.note else "not defined"
    interval = "" if metric.low is None or metric.high is None else f" [{metric.low:.3f}, {metric.high:.3f}]"
    return f"{metric.value:.3f}{interval}"


def print_report(report: EvalReport) -> None:
    """The figures of a report as aligned lines."""
    print(f"{report.split}: {report.n} pictures, {report.n_groups} groups; 95 % intervals by group")
    for name, metric in report.metrics.items():
        print(f"  {name:<32}{figure(metric)}")
    if report.task.kind in ("segmentation", "detection"):
        for label, metrics in report.per_class.items():
            print(f"  {label}")
            for name, metric in metrics.items():
                print(f"    {name:<30}{figure(metric)}")
    for warning in report.warnings:
        print(f"  note: {warning}")
