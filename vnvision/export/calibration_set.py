"""Calibration images: what a model meets in the field, in small, for ranges of 8-bit integers.

They come from training and validation rows, never from test rows: a test image that set a range would have
been seen before it is judged. Regions, groups, labels and people are dealt in turn, so that the ranges are
not those of whoever is most of the data.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vnvision.data.manifest import Manifest, Row
from vnvision.errors import DataError, ExportError
from vnvision.imaging import Preprocessor, read
from vnvision.spec import PreprocessSpec

FEWEST = 16
"""Below this, one picture's extremes are the ranges."""
_SPLITS = ("train", "val")


@dataclass(frozen=True, slots=True, eq=False)
class CalibrationSet:
    """Images at the model's size, and where they came from.

    Attributes:
        images: (N, h, w, C) of the spec's input dtype, channels in the spec's order.
        inputs: (N, C, h, w) float32, normalised, as the model takes them.
        sha256: of the pixels of ``images`` and their shape.
        manifest_sha256: of the manifest they were chosen from.
        counts: by column (``split``, ``region``, ``group``, ``label``), how many images have which value.
    """

    images: np.ndarray
    inputs: np.ndarray
    sha256: str
    manifest_sha256: str
    counts: dict[str, dict[str, int]]

    def record(self) -> dict[str, object]:
        """What travels with the model: JSON-ready facts, no paths and no pixels."""
        return {
            "n": len(self.images),
            "sha256": self.sha256,
            "manifest_sha256": self.manifest_sha256,
            **{f"by_{name}": counts for name, counts in self.counts.items()},
        }


def calibration_set(
    manifest: Manifest | None, spec: PreprocessSpec, n: int = 256, *, seed: int = 0
) -> CalibrationSet:
    """Choose and read calibration images.

    Regions are dealt in turn; within a region its groups (the demographic column ``group`` of faces), within
    those labels, within those people or plants (``group_id``). The choice does not depend on the order of
    rows, and rows added later displace few. Of a spec that aligns faces the images must be aligned crops.

    Args:
        manifest: with a column ``split``; None is refused.
        spec: the model's preprocessing.
        n: how many; fewer come back where there are fewer.
        seed: another one chooses others.

    Raises:
        ExportError: no manifest: ranges are never guessed.
        DataError: no training or validation rows, fewer than ``FEWEST`` of them, or an unreadable image.
    """
    if manifest is None:
        raise ExportError(
            "8-bit integers need calibration images",
            expected="a manifest with training or validation rows",
            got="none",
            fix="pass calibration=MANIFEST (--calibration MANIFEST)",
        )
    rows = chosen_rows(manifest, n, seed=seed)
    aligned = spec.geometry == "align"
    prepare = Preprocessor(spec.model_copy(update={"geometry": "none"}) if aligned else spec)
    images = np.stack([_image(prepare, manifest, row, aligned) for row in rows])
    return CalibrationSet(
        images=images,
        inputs=np.stack([prepare.normalise(image) for image in images]),
        sha256=pixels_sha256(images),
        manifest_sha256=manifest.sha256,
        counts={name: dict(sorted(Counter(map(key, rows)).items())) for name, key in _COUNTED.items()},
    )


def chosen_rows(manifest: Manifest, n: int, *, seed: int = 0) -> list[Row]:
    """The rows ``calibration_set`` reads, the widest spread first.

    Raises:
        DataError: ``n`` or what there is lies below ``FEWEST``.
    """
    if n < FEWEST:
        raise DataError("too few calibration images asked for", expected=f"{FEWEST} or more", got=str(n))
    usable = [row for row in manifest.rows if row.split in _SPLITS]
    if len(usable) < FEWEST:
        no_column = all(row.split is None for row in manifest.rows)
        raise DataError(
            f"{manifest.path} has too few rows to calibrate on",
            expected=f"{FEWEST} or more with split train or val (test rows are never used)",
            got=str(len(usable)),
            fix="assign splits with: vnvision data split" if no_column else None,
        )
    usable.sort(key=lambda row: (_draw(f"{seed}/{row.path}"), row.path))
    dealt = _dealt(usable, (_region, _group, _rarest_label(usable), _person), seed)
    return [row for row, _ in zip(dealt, range(n), strict=False)]


def pixels_sha256(images: np.ndarray) -> str:
    """Hex SHA-256 of an array: its shape, its dtype and its bytes."""
    digest = hashlib.sha256(f"{images.shape} {images.dtype.str}".encode())
    digest.update(np.ascontiguousarray(images).tobytes())
    return digest.hexdigest()


def _dealt(rows: Sequence[Row], keys: Sequence[Callable[[Row], str]], seed: int) -> Iterator[Row]:
    """Rows in turn over the values of the first key, each value's rows in turn over the next one's."""
    if not keys:
        yield from rows
        return
    by_value: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_value[keys[0](row)].append(row)
    order = sorted(by_value, key=lambda value: (_draw(f"{seed}/{value}"), value))
    queues = [_dealt(by_value[value], keys[1:], seed) for value in order]
    while queues:
        left = []
        for queue in queues:
            one = next(queue, None)
            if one is not None:
                left.append(queue)
                yield one
        queues = left


def _draw(text: str) -> bytes:
    """A number by lot that depends on the text alone."""
    return hashlib.sha256(text.encode()).digest()


def _region(row: Row) -> str:
    return row.region or ""


def _group(row: Row) -> str:
    return row.extra.get("group", "")


def _person(row: Row) -> str:
    return row.group_id if row.group_id is not None else row.path


def _label(row: Row) -> str:
    return row.label or ""


def _rarest_label(rows: Sequence[Row]) -> Callable[[Row], str]:
    """The label of a row; of several, the one that fewest rows have."""
    count = Counter(key for row in rows for key, value in (row.labels or {}).items() if value == 1)

    def key(row: Row) -> str:
        if row.labels is None:
            return _label(row)
        positive = [name for name, value in row.labels.items() if value == 1]
        return min(positive, key=lambda name: (count[name], name), default="")

    return key


_COUNTED: dict[str, Callable[[Row], str]] = {
    "split": lambda row: row.split or "",
    "region": _region,
    "group": _group,
    "label": _label,
}


def _image(prepare: Preprocessor, manifest: Manifest, row: Row, aligned: bool) -> np.ndarray:
    """One image at the model's size."""
    image = read(manifest.file(row)).image
    if aligned and image.shape[:2] != prepare.spec.size_px:
        raise DataError(
            f"{row.path} is no aligned face",
            expected="{} x {} pixels".format(*prepare.spec.size_px),
            got="{} x {}".format(*image.shape[:2]),
            fix="cut faces out with: vnvision face align",
        )
    return prepare.geometry(image)
