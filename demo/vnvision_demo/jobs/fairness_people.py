"""Who is in which picture and which group, told by folders, and whether that is enough for a report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from unicodedata import normalize

from vnvision.errors import DataError
from vnvision.faces.listing import SUFFIXES
from vnvision_demo.jobs.zip_names import is_system, top_folder
from vnvision_demo.jobs.zips import Unpacked

MOST_PHOTOS, MOST_PEOPLE = 3_000, 1_000
LEAST_PEOPLE_A_GROUP = 5
"""With fewer, one person's photos decide what the report says of a group."""
LEAST_REPEATED = 2
"""People with two photos: without them nobody can be missed."""
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
        raise too_many("photos", "ảnh", MOST_PHOTOS, len(named))
    top = top_folder(name for name, _ in named)
    folders = [name.removeprefix(top).split("/")[:-1] for name, _ in named]
    depths = {min(len(parts), 2) for parts in folders}
    if not depths or 0 in depths:
        loose = [name for (name, _), parts in zip(named, folders, strict=True) if not parts]
        raise no_folders(loose[0] if loose else "none")
    if len(depths) > 1:
        raise mixed(_example(named, folders, 1), _example(named, folders, 2))
    grouped = depths == {2}
    photos = [
        Photo(name, path, "/".join(parts[:2] if grouped else parts[:1]), parts[0] if grouped else "")
        for (name, path), parts in zip(named, folders, strict=True)
    ]
    people = len({photo.person for photo in photos})
    if people > MOST_PEOPLE:
        raise too_many("people", "người", MOST_PEOPLE, people)
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
        raise too_few_repeated(sum(repeated.values()), looked)
    if set(counts) == {""}:
        return
    small = {group: len(people) for group, people in counts.items() if len(people) < LEAST_PEOPLE_A_GROUP}
    if small:
        raise small_groups(small, looked)
    if once := sorted(group for group, n in repeated.items() if n < LEAST_REPEATED):
        raise groups_without_pairs(once, looked)


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


def too_many(what: str, vietnamese: str, most: int, got: int) -> DataError:
    """More than one report takes."""
    dotted = f"{most:,}".replace(",", ".")
    return DataError(
        f"there are too many {what} for one report",
        expected=f"at most {most:,}",
        got=f"{got:,}",
        fix="leave some out, or use vnvision face eval",
        vietnamese=f"quá nhiều {vietnamese} cho một báo cáo: tối đa {dotted}, ở đây có {got}; "
        "hãy bớt đi hoặc dùng lệnh vnvision face eval",
    )


def no_folders(example: str) -> DataError:
    """Nobody says who is shown."""
    return DataError(
        "the folders do not say who is in the pictures",
        expected="a folder a person (people/An/1.jpg), or group/An/1.jpg with a folder a group",
        got=example,
        fix="put each person's photos into a folder of their own",
        vietnamese="không biết ảnh chụp ai: hãy để ảnh của mỗi người trong một thư mục riêng "
        "(ví dụ An/1.jpg, hoặc nhóm/An/1.jpg nếu muốn so sánh các nhóm)",
    )


def mixed(shallow: str, deep: str) -> DataError:
    """Some pictures have a group, others not."""
    return DataError(
        "some pictures lie in group/person folders and others in person folders",
        expected="all in person/photo, or all in group/person/photo",
        got=f"{shallow} beside {deep}",
        fix="put every person's folder at the same depth",
        vietnamese=f"thư mục không đồng nhất ({shallow} và {deep}); hãy dùng một kiểu cho tất cả: "
        "người/ảnh hoặc nhóm/người/ảnh",
    )


def too_few_repeated(got: int, looked: bool) -> DataError:
    """Nobody could be missed."""
    seen, thay = ("with a face ", "thấy rõ mặt ") if looked else ("", "")
    return DataError(
        f"there are too few people with two photos {seen}".rstrip(),
        expected=f"{LEAST_REPEATED} people or more with 2 photos each",
        got=str(got),
        fix="add photos: 30 people a group with 3 photos each make a good report",
        vietnamese=f"cần ít nhất {LEAST_REPEATED} người có từ 2 ảnh {thay}trở lên, ở đây có {got}; "
        "nên có 30 người mỗi nhóm, mỗi người 3 ảnh",
    )


def small_groups(groups: dict[str, int], looked: bool) -> DataError:
    """Groups in which one person decides."""
    got = ", ".join(f"{group}: {n}" for group, n in sorted(groups.items())[:5])
    seen, thay = (" with a face", " thấy rõ mặt") if looked else ("", "")
    return DataError(
        f"a group has too few people{seen}",
        expected=f"{LEAST_PEOPLE_A_GROUP} or more in each group; 30 make a good report",
        got=got,
        fix="add people to it, or leave the group out",
        vietnamese=f"nhóm có quá ít người{thay} ({got}); mỗi nhóm cần ít nhất {LEAST_PEOPLE_A_GROUP} người, "
        "nên có 30; hãy thêm người hoặc bỏ nhóm này",
    )


def groups_without_pairs(groups: Sequence[str], looked: bool) -> DataError:
    """Groups in which nobody could be missed."""
    got = ", ".join(groups[:5])
    seen, thay = (" with a face", " thấy rõ mặt") if looked else ("", "")
    return DataError(
        f"a group has too few people with two photos{seen}",
        expected=f"{LEAST_REPEATED} or more in each group",
        got=got,
        fix="add second photos of its people, or leave the group out",
        vietnamese=f"nhóm {got} có quá ít người có hai ảnh{thay}; mỗi nhóm cần ít nhất {LEAST_REPEATED} "
        "người như vậy",
    )
