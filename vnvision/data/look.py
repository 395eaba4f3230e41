"""What the checker learns from one image file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vnvision import atomic
from vnvision.data.fingerprint import Fingerprint, fingerprint
from vnvision.data.linked import stays_inside
from vnvision.data.manifest import leaves_root
from vnvision.data.rows import Row
from vnvision.errors import DataError
from vnvision.imaging.read import read


@dataclass(frozen=True, slots=True)
class Look:
    """One file, seen.

    Attributes:
        problems: (kind, text) of what is wrong with it.
        digest: SHA-256 of its bytes, None where it could not be read.
        print: its fingerprint, None where it is no image or was not asked for.
        size_px: height and width of the picture as read, None where it is no image.
    """

    problems: tuple[tuple[str, str], ...] = ()
    digest: str | None = None
    print: Fingerprint | None = None
    size_px: tuple[int, int] | None = None


def look_at(root: Path, row: Row, with_fingerprint: bool) -> Look:
    """Look at one row's file.

    Args:
        root: the resolved root folder. A file outside it is not opened; see ``stays_inside`` for links.
        row: the row.
        with_fingerprint: whether to fingerprint the image.
    """
    if leaves_root(row.path):
        return Look((("outside root", f"{row.path} is not relative to the root, or climbs out of it"),))
    try:
        target = (root / row.path).resolve()
        inside, there = stays_inside(root, row.path), target.is_file()
    except (OSError, RuntimeError, ValueError) as exc:
        return Look((("missing file", f"{row.path}: {exc}"),))
    if not inside:
        return Look((("outside root", f"{row.path} links to a place outside the root"),))
    if not there:
        hint = " (write / between folders)" if "\\" in row.path else ""
        return Look((("missing file", f"{row.path} is not there{hint}"),))
    try:
        digest = atomic.sha256_file(target)
    except OSError as exc:
        return Look((("missing file", f"{row.path}: {exc.strerror or exc}"),))
    problems = []
    if row.sha256 is not None and row.sha256 != digest:
        got = f"expected {row.sha256[:12]}…, got {digest[:12]}…"
        problems.append(("wrong sha256", f"{row.path} has changed: {got}"))
    try:
        image = read(target).image
    except DataError as exc:
        problems.append(("unreadable image", str(exc).replace(str(target), row.path)))
        return Look(tuple(problems), digest)
    size = image.shape[0], image.shape[1]
    return Look(tuple(problems), digest, fingerprint(image) if with_fingerprint else None, size)
