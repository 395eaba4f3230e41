"""The manifest checker: finds every problem in one pass, with row numbers, and fails loudly."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

from vnvision.data import findings
from vnvision.data.findings import KINDS, Problem
from vnvision.data.look import Look, look_at
from vnvision.data.manifest import Manifest
from vnvision.data.neardup import Progress, cluster, default_threads
from vnvision.data.rowchecks import gaps
from vnvision.data.truthchecks import TruthRules, has_truth, truth_problems, truth_warnings


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the checker found. ``problems`` are ordered by kind, then by row."""

    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    n_rows: int

    @property
    def ok(self) -> bool:
        """Whether there is no problem; warnings do not count."""
        return not self.problems

    def counts(self) -> dict[str, int]:
        """How many problems of each kind there are; kinds without any are left out."""
        found = Counter(problem.kind for problem in self.problems)
        return {kind: found[kind] for kind in KINDS if found[kind]}

    def to_json(self) -> str:
        """The result as indented JSON text."""
        value = {"ok": self.ok, "n_rows": self.n_rows, "counts": self.counts()}
        value |= {"problems": [asdict(problem) for problem in self.problems], "warnings": list(self.warnings)}
        return json.dumps(value, ensure_ascii=False, indent=2)


def check_manifest(
    manifest: Manifest,
    *,
    labels: Sequence[str] | None = None,
    mask_labels: int | None = None,
    box_labels: Sequence[str] | None = None,
    near_duplicates: bool = True,
    strict: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
) -> CheckResult:
    """Check rows, files, masks, boxes and splits of a manifest.

    Args:
        manifest: what to check.
        labels: the label ids that are allowed; any, unless given.
        mask_labels: how many labels masks may hold, background included; any, unless given.
        box_labels: the label ids that boxes may have; any, unless given.
        near_duplicates: whether to look for near-duplicate images across splits.
        strict: whether a missing sha256, licence or consent is a problem, not a warning.
        threads: how many files to read at once; one for each CPU, at most 8, unless given.
        progress: called with (rows done, rows in all).

    Returns:
        All problems; nothing is raised for what is wrong with the data.
    """
    threads = threads or default_threads()
    looks = _look(manifest, threads, near_duplicates, progress)
    rows, rules = manifest.rows, TruthRules(mask_labels, None if box_labels is None else tuple(box_labels))
    problems = [*findings.file_problems(rows, looks), *findings.label_problems(rows, labels)]
    problems += findings.group_problems(rows)
    problems += truth_problems(manifest, looks, rules, threads)
    warnings: list[str] = []
    if near_duplicates:
        clusters = cluster([look.print for look in looks], [look.digest for look in looks])
        problems += findings.cluster_problems(rows, clusters, looks)
        warnings += findings.cluster_warnings(rows, clusters)
    missing = gaps(rows)
    if strict:
        problems += [Problem("missing value", gap.lines, gap.text) for gap in missing]
    else:
        warnings += [gap.text for gap in missing]
    warnings += [*findings.row_warnings(rows, other_truth=has_truth(rows)), *truth_warnings(rows)]
    order = {kind: number for number, kind in enumerate(KINDS)}
    problems.sort(key=lambda problem: (order[problem.kind], problem.row_lines, problem.text))
    return CheckResult(tuple(problems), tuple(warnings), len(manifest))


def _look(manifest: Manifest, threads: int, hashes: bool, progress: Progress | None) -> list[Look]:
    root = manifest.root.resolve()
    looks: list[Look] = []
    with ThreadPoolExecutor(threads) as pool:
        for look in pool.map(lambda row: look_at(root, row, hashes), manifest.rows):
            looks.append(look)
            if progress is not None:
                progress(len(looks), len(manifest))
    return looks


__all__ = ["KINDS", "CheckResult", "Problem", "check_manifest"]
