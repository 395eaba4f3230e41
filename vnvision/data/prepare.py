"""From a downloaded data set and its ``source.toml`` to a checked, split manifest."""

from __future__ import annotations

import csv
import io
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vnvision.atomic import sha256_file
from vnvision.data.importers import import_data
from vnvision.data.manifest import Manifest, Row, read_manifest, write_manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.data.splits import assign_splits
from vnvision.errors import ConfigError, DataError, VnvisionError

GroupOf = Callable[[str], str | None]
_KEYS = ("name", "title", "origin", "licence", "consent", "country")


@contextmanager
def mistakes_in_one_line() -> Iterator[None]:
    """For a prepare script's main: what a user can mend is one line on stderr and exit code 1."""
    try:
        yield
    except VnvisionError as exc:
        sys.exit(f"prepare: {exc}")
    except OSError as exc:
        where = f"{exc.filename}: " if exc.filename else ""
        sys.exit(f"prepare: {where}{exc.strerror or exc}")
    except UnicodeError as exc:
        sys.exit(f"prepare: a text file is not UTF-8: {exc}; save it as UTF-8")


def without_old(out: Path, read: Iterable[Path] = ()) -> Path:
    """``OUT/manifest.csv``, the folder made and an earlier manifest removed, so that a failure leaves none.

    Args:
        out: the folder for the manifest.
        read: manifests that the new one is made of: one that lies at its place is left there.
    """
    out.mkdir(parents=True, exist_ok=True)
    path = out / "manifest.csv"
    if not any(one.resolve() == path.resolve() for one in read):
        path.unlink(missing_ok=True)
    return path


def csv_lines(table: Path, columns: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Number and wanted cells of every line of an authors' table, which may have further, nameless columns.

    Raises:
        DataError: no UTF-8, other columns, or a line that ends before the wanted cells.
    """
    try:
        reader = csv.DictReader(io.StringIO(table.read_text("utf-8-sig"), newline=""))
        names = reader.fieldnames or ()
        lines = [(reader.line_num, line) for line in reader]
    except UnicodeDecodeError as exc:
        raise DataError(f"{table} is not UTF-8", got=str(exc), fix="save it as UTF-8") from exc
    except (OSError, csv.Error) as exc:
        raise DataError(f"cannot read {table}", got=str(exc)) from exc
    if missing := [name for name in columns if name not in names]:
        raise DataError(f"{table} has other columns", expected=", ".join(columns), got=f"no {missing[0]}")
    for number, line in lines:
        if short := [name for name in columns if line[name] is None]:
            raise DataError(
                f"{table}, line {number} is too short", expected=", ".join(columns), got=f"no {short[0]}"
            )
    return [(number, {name: line[name] for name in columns}) for number, line in lines]


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
