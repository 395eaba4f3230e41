"""A bundle that came as a zip, unpacked as if an enemy had sent it; its content is judged when opened."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path, PurePosixPath

from vnvision.errors import DataError

_MOST_FILES, _MOST_BYTES, _CHUNK = 64, 256 << 20, 1 << 16


def unpack_bundle(zip_path: str | Path, into: str | Path) -> Path:
    """Unpack a zip whose files lie at its top or in one folder, and give the folder with the manifest.

    Args:
        zip_path: the upload.
        into: a fresh folder.

    Raises:
        DataError: no zip, damaged, too large, with names that lead out of it, or without a manifest.
    """
    root = Path(into)
    try:
        with zipfile.ZipFile(zip_path) as archive:
            entries = [one for one in archive.infolist() if not one.is_dir()]
            names = _plain([one.filename for one in entries])
            total = 0
            for entry, name in zip(entries, names, strict=True):
                target = root / name
                target.parent.mkdir(parents=True, exist_ok=True)
                total = _copy(archive, entry, target, total)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        OSError,
        ValueError,
    ) as exc:
        raise _refused(str(exc) or type(exc).__name__) from exc
    if not (root / "manifest.json").is_file():
        raise _refused("no manifest.json in it")
    return root


def _plain(names: list[str]) -> list[str]:
    """The names below the folder that all share; none may lead elsewhere."""
    if not 0 < len(names) <= _MOST_FILES:
        raise _refused(f"{len(names)} files")
    paths = [PurePosixPath(name) for name in names]
    for path in paths:
        if (
            path.is_absolute()
            or ".." in path.parts
            or "\\" in str(path)
            or ":" in str(path)
            or "\0" in str(path)
        ):
            raise _refused("a name that leads out of it")
    tops = {path.parts[0] for path in paths}
    inside = len(tops) == 1 and all(len(path.parts) > 1 for path in paths)
    plain = [str(PurePosixPath(*path.parts[1:])) if inside else str(path) for path in paths]
    if len({name.casefold() for name in plain}) != len(plain):
        raise _refused("a name that stands in it twice")
    return plain


def _copy(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, total: int) -> int:
    with archive.open(entry) as source, target.open("xb") as out:
        while part := source.read(_CHUNK):
            total += len(part)
            if total > _MOST_BYTES:
                raise _refused(f"more than {_MOST_BYTES >> 20} MB unpacked")
            out.write(part)
    return total


def _refused(got: str) -> DataError:
    return DataError(
        "this zip is no bundle",
        expected="the zip that the tab Teach makes, or a zipped folder of vnvision export",
        got=got[:120],
        vietnamese="tệp zip này không phải gói mô hình; hãy gửi tệp zip do thẻ Dạy mô hình "
        "hay vnvision export tạo ra",
    )
