"""Where the copies of photos go, so that no original is ever overwritten."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from vnvision.errors import ConfigError
from vnvision.faces.listing import SUFFIXES


def copies_planned(given: Sequence[Path], out: Path, replace: bool) -> list[tuple[Path, Path]]:
    """Each photo and its copy; every reason against writing one is found before the first is written.

    Args:
        given: photos, or folders of photos.
        out: folder for the copies; those of a folder keep their place in it.
        replace: a copy may lie there already.

    Raises:
        ConfigError: no photos, two for one copy, a copy that is there, or that is an original.
    """
    plan: dict[Path, Path] = {}
    for source, place in _photos(given, out):
        target = out / place
        if (there := plan.setdefault(target, source)) != source:
            raise ConfigError(
                f"{there} and {source} would both be written to {target}",
                fix="give their folder, or one of them at a time",
                vietnamese=f"{there} và {source} trùng tên; hãy đưa cả thư mục hoặc làm từng ảnh",
            )
    if not plan:
        raise ConfigError(
            "no pictures found",
            expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
            vietnamese="không có ảnh nào; hãy đưa tệp ảnh hoặc thư mục có ảnh",
        )
    originals = {source.resolve() for source in plan.values()}
    for target in plan:
        if target.resolve() in originals:
            raise ConfigError(
                f"{target} is an original and would be overwritten",
                fix="choose another folder with --out",
                vietnamese=f"{target} là ảnh gốc, không được ghi đè; hãy chọn thư mục khác cho --out",
            )
        if not replace and target.exists():
            raise ConfigError(
                f"{target} is there already",
                fix="choose another folder, or allow it with --replace (replace=True)",
                vietnamese=f"{target} đã có; hãy chọn thư mục khác hoặc thêm --replace",
            )
    return [(source, target) for target, source in plan.items()]


def _photos(given: Sequence[Path], out: Path) -> Iterator[tuple[Path, Path]]:
    """Each photo and its place under the folder of copies, which is itself left out where it lies below."""
    copies = out.resolve()
    for one in given:
        if not one.is_dir():
            yield one, Path(one.name)
            continue
        below = one.resolve() in copies.parents
        for file in sorted(one.rglob("*")):
            if below and copies in file.resolve().parents:
                continue
            if file.suffix.lower() in SUFFIXES and file.is_file():
                yield file, file.relative_to(one)
