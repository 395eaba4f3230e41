"""What a comparison of laboratory and field carries."""

from __future__ import annotations

from pydantic import Field

from vnvision.records import Metric, Sha256
from vnvision.spec import Record


class FieldSide(Record):
    """One of the two sets: what it is, and what of it was judged.

    Attributes:
        name: of its manifest.
        split: judged rows; None for all.
        n, n_groups: pictures and groups judged.
        left_out: rows with a label that the other side, or the model, does not have, by label.
        unlabelled: rows without a label.
    """

    name: str
    split: str | None
    n: int
    n_groups: int
    manifest_sha256: Sha256
    left_out: dict[str, int] = Field(default_factory=dict)
    unlabelled: int = 0


class FieldRow(Record):
    """One metric on both sides. ``change`` is field less lab, with an interval of its own."""

    name: str
    lab: Metric
    field: Metric
    change: Metric


class FieldReport(Record):
    """One model in the laboratory and in the field.

    Attributes:
        labels: judged on both sides, in the model's order.
        only_lab, only_field: labels that one side lacks; ``only_field`` also holds those the model never
            learned.
        rows: accuracy, balanced accuracy, macro F1, AUROC and ECE.
        recall: of each shared label.
        near_duplicates: field pictures that look like a copy of one of the lab's; None where not looked for.
    """

    schema_version: int = 1
    model: str
    labels: tuple[str, ...]
    only_lab: tuple[str, ...] = ()
    only_field: tuple[str, ...] = ()
    lab: FieldSide
    field: FieldSide
    rows: tuple[FieldRow, ...]
    recall: tuple[FieldRow, ...] = ()
    near_duplicates: int | None = None
    warnings: tuple[str, ...] = ()
