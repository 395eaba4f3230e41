"""What a manifest holds, as plain data ready for JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from typing import Any

from PIL import Image

from vnvision.data import cautions
from vnvision.data.cautions import ImageFacts
from vnvision.data.manifest import Manifest
from vnvision.data.neardup import default_threads
from vnvision.data.rowchecks import gaps
from vnvision.data.rows import SPLITS, Row
from vnvision.errors import DataError

_PIL_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)


def describe(manifest: Manifest, *, images: bool = True, threads: int | None = None) -> dict[str, Any]:
    """Counts, rights and image facts of a manifest.

    Args:
        manifest: what to describe.
        images: whether to read format and size from every file's header; nothing is decoded.
        threads: how many files to read at once; one for each CPU, at most 8, unless given.

    Returns:
        JSON-ready: ``manifest``, ``labels``, ``splits``, ``regions``, ``sources``, ``licences``,
        ``consents`` (each a count by value, "" where not stated), ``missing``, ``images`` (None unless
        asked for) and ``warnings``.
    """
    rows = manifest.rows
    facts = _image_facts(manifest, threads or default_threads()) if images else []
    there = [name for name in SPLITS if any(row.split == name for row in rows)]
    splits = {name: _part([row for row in rows if row.split == name]) for name in there}
    found: dict[str, Any] = {
        "manifest": {
            "name": manifest.path.name,
            "sha256": manifest.sha256,
            "rows": len(rows),
            "groups": len(set(manifest.group_keys())),
            "rows_without_group": sum(row.group_id is None for row in rows),
            "rows_without_split": sum(row.split is None for row in rows),
            "rows_without_label": sum(map(_unlabelled, rows)),
        },
        "multilabel": manifest.is_multilabel,
        "labels": _label_counts(rows),
        "splits": splits,
        "regions": _values(row.region for row in rows),
        "sources": _values(row.source for row in rows),
        "licences": _values(row.licence for row in rows),
        "consents": _values(row.consent for row in rows),
        "missing": {gap.column: len(gap.lines) for gap in gaps(rows)},
        "images": _image_summary(facts) if images else None,
    }
    found["warnings"] = [
        *cautions.imbalance(found["labels"]),
        *cautions.absent(found["labels"], splits),
        *cautions.small_test(splits),
        *cautions.shortcuts(rows, facts),
        *(gap.text for gap in gaps(rows)),
    ]
    return found


def _labels_of(row: Row) -> list[str]:
    if row.labels is not None:
        return [label for label, value in row.labels.items() if value == 1]
    return [] if row.label is None else [row.label]


def _label_counts(rows: Iterable[Row]) -> dict[str, int]:
    """Examples of each label; a multi-label column without any positive counts 0."""
    rows = list(rows)
    counts = Counter({key: 0 for row in rows for key in row.labels or ()})
    counts.update(label for row in rows for label in _labels_of(row))
    return dict(sorted(counts.items()))


def _part(rows: list[Row]) -> dict[str, Any]:
    groups = {row.group_id if row.group_id is not None else f"path\0{row.path}" for row in rows}
    unknown = sum(map(_unlabelled, rows))
    return {"images": len(rows), "groups": len(groups), "unlabelled": unknown, "labels": _label_counts(rows)}


def _unlabelled(row: Row) -> bool:
    return row.label is None and all(value is None for value in (row.labels or {}).values())


def _values(values: Iterable[str | None]) -> dict[str, int]:
    counts = Counter(value or "" for value in values)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _image_facts(manifest: Manifest, threads: int) -> list[ImageFacts | None]:
    def one(row: Row) -> ImageFacts | None:
        try:
            with Image.open(manifest.file(row)) as image:
                return image.format or "unknown", image.width, image.height
        except (*_PIL_ERRORS, DataError):
            return None

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, manifest.rows))


def _image_summary(facts: Sequence[ImageFacts | None]) -> dict[str, Any]:
    known = [fact for fact in facts if fact is not None]
    sizes = Counter(f"{width}x{height}" for _, width, height in known)
    ranges = {
        name: {"min": min(edges), "median": median(edges), "max": max(edges)}
        for name, edges in (("width_px", [f[1] for f in known]), ("height_px", [f[2] for f in known]))
        if edges
    }
    return {
        "readable": len(known),
        "unreadable": len(facts) - len(known),
        "formats": _values(fact[0] for fact in known),
        **ranges,
        "different_sizes": len(sizes),
        "commonest_sizes": dict(sorted(sizes.items(), key=lambda item: (-item[1], item[0]))[:5]),
    }
