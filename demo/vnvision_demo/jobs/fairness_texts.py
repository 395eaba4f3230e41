"""What can be wrong with folders of people, in both languages."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.errors import DataError

LEAST_PEOPLE_A_GROUP = 5
"""With fewer, one person's photos decide what the report says of a group."""
LEAST_REPEATED = 2
"""People with two photos: without them nobody can be missed."""


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


def one_folder(count: int) -> DataError:
    """One person, or nobody said who is who."""
    return DataError(
        "all pictures lie in one folder, so all of them are of one person",
        expected="a folder a person, two people or more",
        got=f"{count} pictures in one folder",
        fix="put each person's photos into a folder of their own",
        vietnamese=f"tất cả {count} ảnh nằm trong một thư mục nên được coi là của một người; hãy để ảnh của "
        "mỗi người trong một thư mục riêng, từ hai người trở lên",
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
