"""A folder with a folder a person."""

from __future__ import annotations

from pathlib import Path
from unicodedata import normalize

from vnvision.data.importers import image_folder
from vnvision.data.importers.found import Found
from vnvision.data.rows import Row


def scan(source: Path) -> Found:
    """Find the images of ``<person>/...`` or ``<split>/<person>/...``, as ``image_folder`` does.

    The person goes into the columns ``identity`` and ``group_id``, which never crosses splits, and not into
    ``label``. Names are taken in Unicode form NFC: two spellings of one name are one person.

    Raises:
        DataError: as ``image_folder.scan``.
    """
    found = image_folder.scan(source)
    rows = []
    for row in found.rows:
        name = normalize("NFC", row.label or "").strip()
        rows.append(Row(0, row.path, split=row.split, group_id=name, extra={"identity": name}))
    return Found(tuple(rows), source)
