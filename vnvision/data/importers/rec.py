"""Face sets in RecordIO, unpacked."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from vnvision.data.importers.found import Found
from vnvision.data.neardup import Progress
from vnvision.data.records.face_rec import read_keys
from vnvision.data.records.rec import RecordReader
from vnvision.data.records.shard_index import EXTENSIONS
from vnvision.data.rows import Row
from vnvision.errors import DataError
from vnvision.imaging.sniff import HEAD_BYTES, image_format

IMAGES = "images"
_A_FOLDER = 1000


def extract(source: Path, out: Path, progress: Progress | None) -> Found:
    """Write the images, bytes unchanged, into ``out/images``, which must not exist yet: 1,000 a folder.

    The identity's number goes into the columns ``identity`` and ``group_id``, the record's key into
    ``record``. The files are written into a hidden folder that gets its name when it is whole.

    Raises:
        DataError: a damaged record (its key is named), one that is no image, ``out/images`` exists, or it
            cannot be written.
    """
    final = out / IMAGES
    if final.exists():
        raise DataError(f"{final} exists", expected="no such folder yet", fix="choose an empty folder")
    reader = RecordReader(source)
    found = read_keys(reader)
    rows = []
    try:
        out.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(dir=out, prefix=f".{IMAGES}.", suffix=".tmp"))
    except OSError as exc:
        raise DataError(f"cannot write {out}", got=exc.strerror or str(exc)) from exc
    try:
        pairs = zip(found.keys.tolist(), found.identities.tolist(), strict=True)
        for number, (key, identity) in enumerate(pairs):
            rows.append(_write(reader, key, str(identity), number, staged))
            if progress is not None and (number % 256 == 255 or number + 1 == len(found.keys)):
                progress(number + 1, len(found.keys))
        staged.chmod(0o755)
        staged.rename(final)
    except OSError as exc:
        raise DataError(f"cannot write {final}", got=exc.strerror or str(exc)) from exc
    finally:
        shutil.rmtree(staged, ignore_errors=True)
        reader.close()
    return Found(tuple(rows), out)


def _write(reader: RecordReader, key: int, identity: str, number: int, staged: Path) -> Row:
    data = reader.record(key).data
    kind = EXTENSIONS.get(image_format(data[:HEAD_BYTES]) or "")
    if kind is None:
        raise DataError(f"{reader.path}: record {key} holds no image", expected=", ".join(EXTENSIONS))
    path = f"{number // _A_FOLDER:06d}/{key:09d}.{kind}"
    file = staged / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data)
    return Row(0, f"{IMAGES}/{path}", group_id=identity, extra={"identity": identity, "record": str(key)})
