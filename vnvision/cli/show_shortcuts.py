"""The shortcut probe on a terminal."""

from __future__ import annotations

from typing import Literal

from vnvision.cli.show import figure
from vnvision.evaluate import shortcut_texts
from vnvision.evaluate.shortcuts import ShortcutReport


def print_shortcuts(report: ShortcutReport, language: Literal["vi", "en"]) -> None:
    """The views as aligned lines, then what they mean."""
    asked = f"{report.n} pictures, {report.n_groups} groups"
    print(f"{report.name}, {report.test}: {asked}; learned from {report.n_train}")
    print(f"  {'view':<12}{'balanced accuracy':<24}{'accuracy':<24}{'AUROC':<24}")
    for row in report.rows:
        cells = "".join(f"{figure(m):<24}" for m in (row.balanced_accuracy, row.accuracy, row.auroc))
        print(f"  {row.view:<12}{cells}{row.verdict}")
    for row in report.rows:
        print(f"  {row.says[language]}")
    for text in report.warnings:
        print(f"  note: {shortcut_texts.warning(text, language)}")
