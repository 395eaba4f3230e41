"""What a run says while it runs: a bar on a terminal, lines elsewhere, CSV and TensorBoard on disk."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vnvision import atomic

BEFORE = ("serial", "phase", "epoch", "lr", "train_loss")
AFTER = ("val_nll", "images_per_s", "loader_wait_s", "seconds")


class RunLog:
    """One row an epoch on screen, in ``log.csv`` and in TensorBoard, which gets every figure there is.

    Args:
        folder: the run folder.
        tensorboard: also write event files.
        quiet: nothing on screen.
        keep_until: rows of later steps are dropped, since a resumed run makes them again; None starts anew.
        write: False on processes other than the first.
        figures: the task's validation figures besides ``nll``, the monitored one first.
    """

    def __init__(
        self,
        folder: Path,
        *,
        tensorboard: bool,
        quiet: bool,
        keep_until: int | None,
        write: bool = True,
        figures: Sequence[str] = ("accuracy", "balanced_accuracy"),
    ) -> None:
        self.columns = (*BEFORE, *(f"val_{name}" for name in figures), *AFTER)
        self.figure = figures[0]
        self.write = write
        self.path = folder / "log.csv"
        self.rows = _read(self.path, keep_until)
        self.quiet = quiet
        self.writer = _summary_writer(folder / "tensorboard", keep_until) if tensorboard else None
        self.bar = _bar() if not quiet and sys.stderr.isatty() else None
        self.task: Any = None
        self.phase = -1

    def row(self, values: dict[str, Any]) -> None:
        """Add one row and write the file whole."""
        if not self.write:
            return
        self.rows.append({key: _text(values.get(key)) for key in self.columns})
        text = io.StringIO()
        table = csv.DictWriter(text, self.columns, lineterminator="\n")
        table.writeheader()
        table.writerows(self.rows)
        atomic.write_text(self.path, text.getvalue())
        if self.writer is not None:
            for key, value in values.items():
                if key not in BEFORE[:3] and value is not None:
                    self.writer.add_scalar(key, value, values["serial"])
            self.writer.flush()
        self.say(_line(values, self.figure))

    def advance(self, phase: int, step: int, total: int) -> None:
        """Move the bar, which only a terminal gets."""
        if self.bar is None:
            return
        if self.task is None or self.phase != phase:
            self.task, self.phase = self.bar.add_task(f"phase {phase}", total=total), phase
        self.bar.update(self.task, completed=step)

    def say(self, text: str) -> None:
        """One line for the person watching."""
        if self.bar is not None:
            self.bar.console.print(text, highlight=False)
        elif not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Close the event file and the bar."""
        if self.bar is not None:
            self.bar.stop()
        if self.writer is not None:
            self.writer.close()


def _read(path: Path, keep_until: int | None) -> list[dict[str, str]]:
    if keep_until is None or not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [row for row in csv.DictReader(stream) if int(row["serial"]) <= keep_until]


def _summary_writer(folder: Path, purge_after: int | None) -> Any:
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=None if purge_after is None else purge_after + 1)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import Progress, TimeElapsedColumn, TimeRemainingColumn

    columns = (*Progress.get_default_columns()[:-1], TimeElapsedColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.start()
    return bar


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _line(values: dict[str, Any], figure: str) -> str:
    parts = [f"phase {values['phase']} epoch {values['epoch']:>3}", f"loss {values['train_loss']:.4f}"]
    if values.get(f"val_{figure}") is not None:
        name = figure.replace("_", " ")
        nll = values.get("val_nll")
        parts.append(f"val {name} {values[f'val_{figure}']:.4f}" + ("" if nll is None else f" nll {nll:.4f}"))
    parts.append(f"{values['images_per_s']:.0f} images/s")
    parts.append(f"{values['seconds']:.0f} s")
    return "  ".join(parts)
