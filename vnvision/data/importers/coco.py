"""COCO JSON: images, annotations with boxes, categories (Lin et al. 2014, "Microsoft COCO")."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

from vnvision.data.importers.found import Found, FoundBox, safe_name
from vnvision.data.rows import Row
from vnvision.errors import DataError

PARTS = ("images", "annotations", "categories")
Id = int | str


def is_coco(source: Path) -> bool:
    """Whether a JSON file declares images, annotations and categories."""
    try:
        value = _load(source)
    except DataError:
        return False
    return all(isinstance(value.get(part), list) for part in PARTS)


def read(source: Path, root: Path) -> Found:
    """Read a COCO file.

    An image has label 1 for each category annotated in it, and 0 for the others: COCO annotates every
    category in every image. Where images carry ``neg_category_ids`` (LVIS, Gupta et al. 2019), only those
    are 0, and the rest is unknown. Crowd regions and boxes without area are left out of the boxes, with a
    warning.

    Args:
        source: the JSON file.
        root: folder that ``file_name`` is relative to.

    Raises:
        DataError: damaged JSON, missing or repeated ids, unsafe file names, wrong boxes.
    """
    where = str(source)
    value = _load(source)
    if not root.is_dir():
        raise DataError("image_root is no folder", got=str(root))
    names = _category_names(_by_id(value, "categories", where), where)
    images = _by_id(value, "images", where)
    if not images or not names:
        raise DataError(f"{where} is empty", expected="one image and one category or more")
    paths = [safe_name(_text(image, "file_name", where), where) for image in images.values()]
    if len(set(paths)) < len(paths):
        raise DataError(f"{where} names one file in two images")
    labels = [_labels_before(image, names, where) for image in images.values()]
    boxes = _read_annotations(value, {key: i for i, key in enumerate(images)}, names, labels, where)
    rows = tuple(Row(0, path, labels=known) for path, known in zip(paths, labels, strict=True))
    categories = [{"id": key, "name": name} for key, name in names.items()]
    return Found(rows, root, boxes, categories)


def _read_annotations(
    value: dict[str, Any],
    images: dict[Id, int],
    names: dict[Id, str],
    labels: list[dict[str, int | None]],
    where: str,
) -> tuple[FoundBox, ...] | None:
    """Set ``labels`` to 1 where annotated; the boxes, or None where no annotation has one."""
    boxes, skipped, any_box = [], 0, False
    for number, annotation in enumerate(_objects(value, "annotations", where)):
        place = f"{where}: annotation {annotation.get('id', number)!r:.40}"
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(image, Id) or not isinstance(category, Id) or image not in images:
            raise DataError(place, expected="the id of an image", got=f"image_id {image!r:.40}")
        if category not in names:
            raise DataError(place, expected="the id of a category", got=f"category_id {category!r:.40}")
        labels[images[image]][names[category]] = 1
        if "bbox" in annotation:
            any_box = True
            corners = _corners(annotation["bbox"], place)
            if corners is None or annotation.get("iscrowd"):
                skipped += 1
            else:
                boxes.append(FoundBox(images[image], names[category], corners))
    if skipped:
        warnings.warn(f"{where}: left out {skipped} boxes that are crowds or have no area", stacklevel=4)
    return tuple(boxes) if any_box else None


def _load(source: Path) -> dict[str, Any]:
    try:
        value = json.loads(source.read_bytes())
    except OSError as exc:
        raise DataError(f"cannot read {source}", got=exc.strerror or str(exc)) from exc
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{source} is not valid JSON", got=str(exc)[:120]) from exc
    if not isinstance(value, dict):
        raise DataError(f"{source} is no COCO file", expected="a JSON object", got=type(value).__name__)
    return value


def _objects(value: dict[str, Any], part: str, where: str) -> list[dict[str, Any]]:
    items = value.get(part)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise DataError(f"{where} is no COCO file", expected=f"{part}: a list of objects")
    return items


def _by_id(value: dict[str, Any], part: str, where: str) -> dict[Id, dict[str, Any]]:
    found: dict[Id, dict[str, Any]] = {}
    for item in _objects(value, part, where):
        key = item.get("id")
        if not isinstance(key, Id) or key in found:
            raise DataError(f"{where}: {part}", expected="an id of its own in each", got=f"{key!r:.40}")
        found[key] = item
    return found


def _text(item: dict[str, Any], name: str, where: str) -> str:
    text = item.get(name)
    if not isinstance(text, str):
        raise DataError(f"{where}: {name} of {item.get('id')!r:.40}", expected="text", got=f"{text!r:.40}")
    return text


def _category_names(categories: dict[Id, dict[str, Any]], where: str) -> dict[Id, str]:
    names = {key: _text(item, "name", where).strip() for key, item in categories.items()}
    if len(set(names.values())) < len(names) or not all(names.values()):
        raise DataError(f"{where}: categories", expected="a name of its own in each", got=str(names)[:120])
    return names


def _labels_before(image: dict[str, Any], names: dict[Id, str], where: str) -> dict[str, int | None]:
    """Labels of an image before its annotations are read: 0, or unknown where negatives are listed."""
    if "neg_category_ids" not in image:
        return dict.fromkeys(names.values(), 0)
    listed = image["neg_category_ids"]
    if not isinstance(listed, list) or not all(isinstance(key, Id) and key in names for key in listed):
        raise DataError(
            f"{where}: neg_category_ids", expected="a list of category ids", got=f"{listed!r:.60}"
        )
    labels: dict[str, int | None] = dict.fromkeys(names.values())
    return labels | {names[key]: 0 for key in listed}


def _corners(box: Any, place: str) -> tuple[float, float, float, float] | None:
    """Corners (x0, y0, x1, y1) of a COCO box (x, y, width, height); None without area."""
    numbers = isinstance(box, list) and all(type(edge) in (int, float) for edge in box)
    if not numbers or len(box) != 4 or not all(map(math.isfinite, box)) or min(box[2:]) < 0:
        raise DataError(f"{place}: bbox", expected="[x, y, width, height] in pixels", got=f"{box!r:.60}")
    x, y, width, height = (float(edge) for edge in box)
    return (x, y, x + width, y + height) if width > 0 and height > 0 else None
