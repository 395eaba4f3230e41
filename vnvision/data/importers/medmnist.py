"""MedMNIST archives (Yang et al. 2023, "MedMNIST v2"): arrays of images and labels in one ``.npz``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from vnvision.data.importers import npz
from vnvision.data.importers.found import Found
from vnvision.data.neardup import Progress
from vnvision.data.rows import SPLITS, Row
from vnvision.errors import ConfigError, DataError

IMAGES = "images"
MAX_CLASS = 65_535


def is_medmnist(source: Path) -> bool:
    """Whether an archive declares images and labels of the three splits."""
    try:
        return all(npz.has(source, f"{split}_{part}") for split in SPLITS for part in ("images", "labels"))
    except DataError:
        return False


def extract(source: Path, out: Path, names: Sequence[str] | None, progress: Progress | None) -> Found:
    """Write the images as PNG files into ``out/images``, which must not exist yet.

    Labels (N, 1) give one class an image, its index or its name; labels (N, C) of 0 and 1 give ``label:``
    columns. The archive's own split is kept. The files are written into a hidden folder that gets its name
    when it is whole.

    Args:
        source: the ``.npz``. It is never unpickled, and sizes are checked before anything is unpacked.
        out: the manifest's folder.
        names: of the classes, in order of their index.
        progress: called with (images done, images in all).

    Raises:
        ConfigError: names that do not fit the labels.
        DataError: a damaged or hostile archive, arrays of other shapes or types, or ``out/images`` exists.
    """
    final = out / IMAGES
    if final.exists():
        raise DataError(f"{final} exists", expected="no such folder yet", fix="choose an empty folder")
    with npz.opened(source) as archive:
        splits = [split for split in SPLITS if f"{split}_images" in archive]
        if not splits:
            raise DataError(f"{source} is no MedMNIST archive", expected="train_images, train_labels, ...")
        labels = {split: _labels(archive, split) for split in splits}
        width = {array.shape[1] for array in labels.values()}
        if len(width) > 1:
            raise DataError(f"{source}: labels", expected="as many columns in each split", got=str(width))
        names = _names(labels, names)
        total = sum(len(array) for array in labels.values())
        out.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=out, prefix=f".{IMAGES}.", suffix=".tmp"))
        rows = []
        try:
            for split in splits:
                (staged / split).mkdir()
                images = _images(archive, split, len(labels[split]))
                for i, (image, values) in enumerate(zip(images, labels[split].tolist(), strict=True)):
                    path = f"{split}/{i:06d}.png"
                    _write_png(staged / path, image)
                    rows.append(_row(f"{IMAGES}/{path}", split, values, names))
                    if progress is not None:
                        progress(len(rows), total)
            staged.chmod(0o755)
            staged.rename(final)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return Found(tuple(rows), out)


def _labels(archive: npz.Archive, split: str) -> np.ndarray:
    array = archive.read(f"{split}_labels")
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2 or array.dtype.kind not in "iu" or array.shape[1] < 1:
        raise DataError(
            f"{archive.path}: {split}_labels",
            expected="whole numbers (N, 1), or (N, C) of 0 and 1",
            got=f"{array.dtype} {array.shape}",
        )
    if not array.size:
        raise DataError(f"{archive.path}: {split}_labels", expected="one label or more", got="none")
    if array.min() < 0 or array.max() > (1 if array.shape[1] > 1 else MAX_CLASS):
        got = f"{array.min()}..{array.max()}"
        raise DataError(f"{archive.path}: {split}_labels", expected="class indices, or 0 and 1", got=got)
    return array


def _names(labels: dict[str, np.ndarray], names: Sequence[str] | None) -> list[str]:
    """One name a class: those given, or the indices."""
    width = next(iter(labels.values())).shape[1]
    count = width if width > 1 else 1 + max(int(array.max()) for array in labels.values())
    if names is None:
        return [str(index) for index in range(count)]
    if len(names) < count or len(set(names)) < len(names) or (width > 1 and len(names) > count):
        raise ConfigError("labels", expected=f"{count} different names", got=", ".join(names)[:200])
    return list(names)


def _images(archive: npz.Archive, split: str, count: int) -> Iterator[np.ndarray]:
    shape, dtype = archive.shape(f"{split}_images")
    grey, colour = len(shape) == 3, len(shape) == 4 and shape[3] == 3
    if dtype != np.uint8 or not (grey or colour) or 0 in shape[1:]:
        raise DataError(
            f"{archive.path}: {split}_images",
            expected="uint8 (N, H, W) or (N, H, W, 3)",
            got=f"{dtype} {shape}",
            fix="volumes are not supported" if len(shape) > 3 and shape[-1] != 3 else None,
        )
    if shape[0] != count:
        got = f"{shape[0]} images, {count} labels"
        raise DataError(f"{archive.path}: {split}", expected="a label for each image", got=got)
    return archive.items(f"{split}_images")


def _write_png(path: Path, image: np.ndarray) -> None:
    done, data = cv2.imencode(".png", image if image.ndim == 2 else image[:, :, ::-1])
    if not done:
        raise DataError(f"cannot encode {path.name} as PNG", got=f"{image.dtype} {image.shape}")
    try:
        path.write_bytes(data.tobytes())
    except OSError as exc:
        raise DataError(f"cannot write {path}", got=exc.strerror or str(exc)) from exc


def _row(path: str, split: str, values: list[int], names: list[str]) -> Row:
    if len(values) == 1:
        return Row(0, path, label=names[values[0]], split=split)
    return Row(0, path, labels=dict(zip(names, values, strict=True)), split=split)
