"""Make a manifest of chest radiographs, pneumonia or no finding: NIH's files, or a folder with a manifest.

python datasets/cxr_nih/prepare.py FOLDER --out OUT
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vnvision.data.linked import link_folders
from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.prepare import csv_lines
from vnvision.data.prepare_script import run
from vnvision.data.splits import assign_splits
from vnvision.errors import DataError

LABELS = ("no_findings", "pneumonia")
TABLE = "Data_Entry_2017*.csv"
COLUMNS = ("Image Index", "Finding Labels", "Patient ID")


def from_manifest(source: Path, out: Path) -> tuple[Row, ...]:
    """A folder that has a manifest: as it is, with its patients and splits."""
    manifest = read_manifest(source / "manifest.csv")
    if manifest.label_ids() != LABELS:
        got = ", ".join(manifest.label_ids())
        raise DataError(f"{source} holds other labels", expected=", ".join(LABELS), got=got)
    link_folders(source, out, ("images",))
    return manifest.rows


def from_download(source: Path, out: Path, seed: int) -> tuple[Row, ...]:
    """NIH's table and ``images*`` folders: every picture with pneumonia, and as many drawn without finding.

    A picture may show other findings beside pneumonia. Patients never cross splits.
    """
    files = {path.name: path for path in sorted(source.rglob("*.png"))}
    found: dict[str, list[Row]] = {label: [] for label in LABELS}
    for name, label, patient in _table(source):
        if label is not None and name in files:
            path = files[name].relative_to(source).as_posix()
            found[label].append(Row(0, path, label=label, group_id=f"NIH{int(patient):08d}"))
    sick, clear = found["pneumonia"], found["no_findings"]
    if not sick or not clear:
        got = f"{len(sick)} pictures with pneumonia, {len(clear)} without finding"
        raise DataError(f"{source} lacks pictures of the table", expected="some of both", got=got)
    order = np.random.default_rng(seed).permutation(len(clear))[: len(sick)]
    rows = sick + [clear[index] for index in sorted(order.tolist())]
    link_folders(source, out, sorted({Path(row.path).parts[0] for row in rows}))
    return assign_splits(Manifest(tuple(rows), source, source / "manifest.csv", "0" * 64), seed=seed)


def _table(source: Path) -> list[tuple[str, str | None, str]]:
    """File name, label (None for other findings) and patient of every line."""
    table = next(iter(sorted(source.rglob(TABLE))), None)
    if table is None:
        raise DataError(f"{source} has no table", expected=TABLE)
    found = []
    for number, line in csv_lines(table, COLUMNS):
        name, findings, patient = (line[column].strip() for column in COLUMNS)
        if not (patient.isascii() and patient.isdigit()):
            raise DataError(
                f"{table}, line {number}: {COLUMNS[2]}", expected="a whole number", got=repr(patient)
            )
        if not findings:
            raise DataError(
                f"{table}, line {number}: {COLUMNS[1]}",
                expected="No Finding, Pneumonia or others",
                got="none",
            )
        found.append((name, _label(findings), patient))
    return found


def _label(findings: str) -> str | None:
    names = findings.split("|")
    return "pneumonia" if "Pneumonia" in names else "no_findings" if names == ["No Finding"] else None


if __name__ == "__main__":
    purpose = (__doc__ or "").splitlines()[0]
    toml = Path(__file__).with_name("source.toml")
    run(purpose, toml, from_manifest=from_manifest, from_download=from_download)
