"""From a downloaded data set and its ``source.toml`` to a checked, split manifest."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from vnvision.atomic import sha256_file
from vnvision.data.importers import import_data
from vnvision.data.manifest import Manifest, Row, read_manifest, write_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.splits import assign_splits
from vnvision.errors import ConfigError, DataError

GroupOf = Callable[[str], str | None]
_KEYS = ("name", "title", "origin", "licence", "consent", "country")


def prepare_folder(
    source: Path,
    source_toml: Path,
    *,
    labels: Sequence[str],
    rename: dict[str, str] | None = None,
    group_of: GroupOf | None = None,
    seed: int = 0,
) -> Path:
    """Write ``manifest.csv`` into a folder of class folders, with hashes, licence, source and splits.

    Near-duplicates and groups stay in one split.

    Args:
        source: the downloaded folder; one folder a class.
        source_toml: states name, title, origin, licence, consent and country.
        labels: the ids that must come out, no more and no less.
        rename: class folder -> label id, where they differ.
        group_of: picture path -> leakage group (patient, plant), None where unknown.
        seed: of the split.

    Returns:
        The manifest's path.

    Raises:
        ConfigError: ``source.toml`` lacks a key.
        DataError: the folder does not hold these classes, or a picture cannot be read.
    """
    facts = source_facts(source_toml)
    path = import_data(
        source,
        source,
        kind="imagefolder",
        licence=facts["licence"],
        consent=facts["consent"],
        source_name=facts["origin"],
        region=facts["country"],
    )
    manifest = read_manifest(path)
    renamed = rename or {}
    rows = tuple(
        replace(
            row,
            label=renamed.get(row.label or "", row.label),
            group_id=(group_of(row.path) if group_of else None) or row.group_id,
        )
        for row in manifest.rows
    )
    found = sorted({row.label or "" for row in rows})
    if found != sorted(labels):
        path.unlink()
        raise DataError(
            f"{source} holds other classes", expected=", ".join(sorted(labels)), got=", ".join(found)
        )
    whole = Manifest(rows, manifest.root, manifest.path, manifest.sha256, manifest.warnings)
    clusters = near_duplicate_clusters([whole.file(row) for row in rows])
    return write_manifest(assign_splits(whole, seed=seed, clusters=clusters), path)


def source_facts(source_toml: Path) -> dict[str, str]:
    """What a data set's ``source.toml`` states.

    Raises:
        ConfigError: a key is missing.
    """
    facts: dict[str, str] = tomllib.loads(source_toml.read_text(encoding="utf-8"))
    missing = [key for key in _KEYS if key not in facts]
    if missing:
        raise ConfigError(f"{source_toml} lacks {', '.join(missing)}")
    return facts


def governed(rows: Iterable[Row], root: Path, source_toml: Path) -> tuple[Row, ...]:
    """Rows with source, country, licence and consent as ``source.toml`` states them, and each file's hash.

    Args:
        rows: with paths relative to ``root``.
        root: the manifest's folder.
        source_toml: of the data set.

    Raises:
        ConfigError: ``source.toml`` lacks a key.
        DataError: a picture is not there.
    """
    facts = source_facts(source_toml)
    done = []
    for row in rows:
        try:
            digest = sha256_file(root / row.path)
        except OSError as exc:
            raise DataError(f"cannot read {row.path}", got=exc.strerror or str(exc)) from exc
        done.append(
            replace(
                row,
                source=facts["origin"],
                region=facts["country"],
                licence=facts["licence"],
                consent=facts["consent"],
                sha256=digest,
            )
        )
    return tuple(done)
