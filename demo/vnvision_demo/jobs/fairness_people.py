"""Who is in which picture and which group, told by folders, and whether that is enough for a report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from vnvision.atomic import sha256_file
from vnvision.faces.listing import SUFFIXES
from vnvision_demo.jobs import fairness_texts as say
from vnvision_demo.jobs.fairness_texts import LEAST_PEOPLE_A_GROUP, LEAST_REPEATED
from vnvision_demo.jobs.zip_names import is_system, top_folder
from vnvision_demo.jobs.zips import Unpacked

MOST_PHOTOS, MOST_PEOPLE = 3_000, 1_000
Named = tuple[str, Path]


@dataclass(frozen=True, slots=True)
class Photo:
    """One picture.

    Attributes:
        shown: its name with its folders.
        path: where it lies.
        person: unique over all groups.
        group: empty where there are none.
    """

    shown: str
    path: Path
    person: str
    group: str = ""


def list_photos(source: Unpacked | str | Path | Iterable[Named]) -> list[Photo]:
    """Photos of ``person/photo``, or of ``group/person/photo``.

    Folders that all pictures share are left out, as far as people are left. Deeper folders belong to the
    person they are in.

    Args:
        source: what a zip held, a folder, or names with folders and where the pictures lie.

    Raises:
        DataError: no picture, pictures outside a person's folder, both forms mixed, or too many photos or
            people.
    """
    named = sorted(_named(source))
    if len(named) > MOST_PHOTOS:
        raise say.too_many("photos", "ảnh", MOST_PHOTOS, len(named))
    top = top_folder(name for name, _ in named)
    folders = [name.removeprefix(top).split("/")[:-1] for name, _ in named]
    depths = {min(len(parts), 2) for parts in folders}
    if depths == {0} and (top or (isinstance(source, Unpacked) and source.top)):
        raise say.one_folder(len(named))
    if not depths or 0 in depths:
        loose = [name for (name, _), parts in zip(named, folders, strict=True) if not parts]
        raise say.no_folders(loose[0] if loose else "none")
    if len(depths) > 1:
        raise say.mixed(_example(named, folders, 1), _example(named, folders, 2))
    grouped = depths == {2}
    photos = [
        Photo(name, path, "/".join(parts[:2] if grouped else parts[:1]), parts[0] if grouped else "")
        for (name, path), parts in zip(named, folders, strict=True)
    ]
    people = len({photo.person for photo in photos})
    if people > MOST_PEOPLE:
        raise say.too_many("people", "người", MOST_PEOPLE, people)
    return photos


def check_enough(photos: Sequence[Photo], found: Sequence[bool] | None = None) -> None:
    """Refuse photos that no rate can be stated from.

    Args:
        photos: all of them.
        found: which of them show a face; None before anybody looked.

    Raises:
        DataError: too few people with two photos, or a group with too few people.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for photo, there in zip(photos, found if found is not None else [True] * len(photos), strict=True):
        counts[photo.group].update([photo.person] if there else [])
    repeated = {group: sum(n > 1 for n in people.values()) for group, people in counts.items()}
    looked = found is not None
    if sum(repeated.values()) < LEAST_REPEATED:
        raise say.too_few_repeated(sum(repeated.values()), looked)
    if set(counts) == {""}:
        return
    small = {group: len(people) for group, people in counts.items() if len(people) < LEAST_PEOPLE_A_GROUP}
    if small:
        raise say.small_groups(small, looked)
    if once := sorted(group for group, n in repeated.items() if n < LEAST_REPEATED):
        raise say.groups_without_pairs(once, looked)


def twins(photos: Sequence[Photo]) -> tuple[tuple[str, str], ...]:
    """Pairs of names of the same file in two people's folders: they count as people who are mistaken."""
    sizes: dict[int, list[Photo]] = defaultdict(list)
    for photo in photos:
        sizes[photo.path.stat().st_size].append(photo)
    found, first = [], dict[str, Photo]()
    for same in (some for some in sizes.values() if len(some) > 1):
        for photo in same:
            other = first.setdefault(sha256_file(photo.path), photo)
            if other.person != photo.person:
                found.append((other.shown, photo.shown))
    return tuple(found)


def _named(source: Unpacked | str | Path | Iterable[Named]) -> Iterator[Named]:
    if isinstance(source, Unpacked):
        yield from source.files
    elif isinstance(source, str | Path):
        root = Path(source)
        for file in root.rglob("*"):
            name = file.relative_to(root).as_posix()
            wanted = file.suffix.lower() in SUFFIXES and not is_system(name)
            if wanted and file.is_file() and not file.is_symlink():
                yield normalize("NFC", name), file
    else:
        yield from source


def _example(named: Sequence[Named], folders: Sequence[Sequence[str]], depth: int) -> str:
    return next(n for (n, _), parts in zip(named, folders, strict=True) if min(len(parts), 2) == depth)
