"""Make a split manifest of Paddy Doctor: train_images/LABEL/*.jpg and train.csv, without unlabelled pictures.

python datasets/paddy_doctor/prepare.py paddy-disease-classification.zip --out OUT
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vnvision.data.prepare import csv_lines
from vnvision.data.prepare_published import Published, main
from vnvision.data.rows import Row
from vnvision.errors import DataError

LABELS = (
    "bacterial_leaf_blight", "bacterial_leaf_streak", "bacterial_panicle_blight", "blast", "brown_spot",
    "dead_heart", "downy_mildew", "hispa", "normal", "tungro",
)  # fmt: skip
COLUMNS = ("age", "image_id", "label", "variety")


def with_table(rows: Sequence[Row], root: Path) -> list[Row]:
    """Variety and age in days from ``train.csv``, if it is there; its labels must be the folders'."""
    table = next(iter(sorted(root.rglob("train.csv"))), None)
    if table is None:
        return list(rows)
    known = {line["image_id"]: line for _, line in csv_lines(table, COLUMNS)}
    return [_described(row, known.get(Path(row.path).name), table) for row in rows]


def _described(row: Row, line: dict[str, str] | None, table: Path) -> Row:
    if line is None:
        raise DataError(f"{table} has no line for {row.path}")
    if line["label"] != row.label:
        raise DataError(f"{table} disagrees with {row.path}", expected=str(row.label), got=line["label"])
    return replace(row, extra={**row.extra, "variety": line["variety"], "age_days": line["age"]})


if __name__ == "__main__":
    main(
        Published(
            (__doc__ or "").splitlines()[0],
            Path(__file__).with_name("source.toml"),
            {label: label for label in LABELS},
            unlabelled=("test_images",),
            describe=with_table,
        )
    )
