"""Splits and folds in which a leakage group never crosses."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.data.rows import SPLITS, Row
from vnvision.data.stratify import Unit, deal
from vnvision.data.unionfind import DisjointSets
from vnvision.errors import ConfigError, DataError

DEFAULT_FRACTIONS: Mapping[str, float] = {"train": 0.7, "val": 0.15, "test": 0.15}


def assign_splits(
    manifest: Manifest,
    fractions: Mapping[str, float] = DEFAULT_FRACTIONS,
    seed: int = 0,
    *,
    clusters: Sequence[int] | None = None,
) -> tuple[Row, ...]:
    """The manifest's rows with a split each, whatever they had before.

    Rows of one group, and of one near-duplicate cluster, share a split; a cluster that touches two groups
    joins them. Labels are spread in the same proportions as far as the groups allow. Labels with fewer
    groups than there are splits are warned about (``warnings.warn``; see ``split_warnings``).

    Args:
        manifest: the rows.
        fractions: share of rows each split is to have, adding up to 1.
        seed: equal seeds give equal splits.
        clusters: (N,) cluster number of each row, from ``near_duplicate_clusters``.

    Raises:
        ConfigError: wrong fractions, or clusters of another length.
        DataError: fewer groups than splits.
    """
    _check_fractions(fractions)
    if clusters is not None and len(clusters) != len(manifest):
        raise ConfigError("clusters", expected=f"{len(manifest)}, one a row", got=str(len(clusters)))
    names = [name for name in SPLITS if name in fractions]
    units = merged_groups(manifest.group_keys(), clusters)
    if max(units, default=-1) + 1 < len(names):
        raise DataError(
            f"{manifest.path} has too few groups to split",
            expected=f"{len(names)} or more",
            got=str(max(units, default=-1) + 1),
        )
    targets = manifest.targets(manifest.label_ids())
    parts = deal(_units(units, targets), [fractions[name] for name in names], seed)
    rows = tuple(
        replace(row, split=names[parts[unit]]) for row, unit in zip(manifest.rows, units, strict=True)
    )
    for text in split_warnings(rows, names, units):
        warnings.warn(text, stacklevel=2)
    return rows


def merged_groups(groups: Iterable[str], clusters: Sequence[int] | None = None) -> list[int]:
    """Number of the merged group of each row: rows that share a group or a cluster, directly or through
    others, share a number. Numbers count from 0 in order of first appearance.
    """
    keys = list(groups)
    sets = DisjointSets(len(keys))
    for column in (keys, clusters if clusters is not None else ()):
        first: dict[object, int] = {}
        for i, key in enumerate(column):
            sets.union(first.setdefault(key, i), i)
    return sets.labels()


def group_folds(targets: np.ndarray, groups: Sequence[object], k: int, seed: int = 0) -> np.ndarray:
    """Stratified folds for cross-validation in which groups never cross.

    Args:
        targets: (N,) class indices, -1 unknown; or (N, C) multi-label of 1, 0, -1.
        groups: (N,) group of each row.
        k: number of folds, 2 or more.
        seed: equal seeds give equal folds.

    Returns:
        (N,) int64 fold index, 0..k-1.

    Raises:
        ConfigError: k below 2, or lengths that differ.
        DataError: fewer groups than folds.
    """
    if k < 2:
        raise ConfigError("k", expected="2 folds or more", got=str(k))
    if len(targets) != len(groups):
        raise ConfigError("groups", expected=f"{len(targets)}, one a target", got=str(len(groups)))
    numbers: dict[object, int] = {}
    units = [numbers.setdefault(group, len(numbers)) for group in groups]
    if len(numbers) < k:
        raise DataError(f"too few groups for {k} folds", expected=f"{k} or more", got=str(len(numbers)))
    parts = np.asarray(deal(_units(units, targets), [1.0 / k] * k, seed), dtype=np.int64)
    folds: np.ndarray = parts[np.asarray(units)]
    return folds


def split_warnings(rows: Sequence[Row], splits: Sequence[str], units: Sequence[int]) -> tuple[str, ...]:
    """Labels that some split has no example of, and why.

    Args:
        rows: with their splits.
        splits: the splits there should be.
        units: (N,) merged group of each row.
    """
    groups: dict[str, set[int]] = {}
    there: dict[str, set[str]] = {}
    for row, unit in zip(rows, units, strict=True):
        labels = [label for label, value in (row.labels or {}).items() if value == 1]
        for label in labels + ([row.label] if row.label is not None else []):
            groups.setdefault(label, set()).add(unit)
            there.setdefault(label, set()).add(row.split or "")
    found = []
    for label in sorted(groups):
        absent = [name for name in splits if name not in there[label]]
        if absent:
            count = f"{len(groups[label])} group{'s' if len(groups[label]) > 1 else ''}"
            found.append(f"label {label} has {count}: no example of it in {', '.join(absent)}")
    return tuple(found)


def _units(units: Sequence[int], targets: np.ndarray) -> list[Unit]:
    sizes = Counter(units)
    labels: list[Counter[int]] = [Counter() for _ in sizes]
    if targets.ndim == 1:
        for unit, label in zip(units, targets.tolist(), strict=True):
            if label >= 0:
                labels[unit][label] += 1
    else:
        for i, label in zip(*(axis.tolist() for axis in np.nonzero(targets == 1)), strict=True):
            labels[units[i]][label] += 1
    return [Unit(sizes[unit], counts) for unit, counts in enumerate(labels)]


def _check_fractions(fractions: Mapping[str, float]) -> None:
    unknown = [name for name in fractions if name not in SPLITS]
    if unknown or len(fractions) < 2:
        raise ConfigError(
            "fractions", expected=f"two or more of {', '.join(SPLITS)}", got=", ".join(fractions) or "none"
        )
    total = sum(fractions.values())
    if not all(value > 0 for value in fractions.values()) or not math.isclose(total, 1.0, abs_tol=1e-6):
        got = ", ".join(f"{name} {value:g}" for name, value in fractions.items())
        raise ConfigError("fractions", expected="positive numbers that add up to 1", got=got)


def without_leaks(manifest: Manifest, clusters: Sequence[int]) -> tuple[Row, ...]:
    """The rows left when near-duplicates over splits are taken out; splits stay as they are.

    Of a cluster that lies in several splits only the rows of the last one (train, val, test) stay, so that
    the test split keeps its pictures and the training split loses them.

    Args:
        manifest: rows with splits.
        clusters: of each row, equal numbers for near-duplicates.
    """
    last: dict[int, int] = {}
    for row, cluster in zip(manifest.rows, clusters, strict=True):
        place = SPLITS.index(row.split) if row.split is not None else -1
        last[cluster] = max(last.get(cluster, -1), place)
    return tuple(
        row
        for row, cluster in zip(manifest.rows, clusters, strict=True)
        if (SPLITS.index(row.split) if row.split is not None else -1) == last[cluster]
    )
