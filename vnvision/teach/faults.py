"""What can be wrong with the photographs that a model is to be taught from, in both languages."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.errors import DataError

FEWEST_CLASSES, MOST_CLASSES = 2, 50
FEWEST_PHOTOS, MOST_PHOTOS = 20, 5000
FEWEST_GROUPS = 5
MOST_UNREADABLE = 0.2


class TeachError(DataError):
    """The photographs cannot teach a model as they are. Subclasses say which rule they break."""


class TooFewClassesError(TeachError):
    """Fewer than two classes with photographs."""


class TooManyClassesError(TeachError):
    """More classes than can be taught at once."""


class TooFewPhotosError(TeachError):
    """A class has too few photographs that differ, or too few plants or patients."""


class TooManyPhotosError(TeachError):
    """More photographs than can be taught at once."""


class SamePhotoError(TeachError):
    """One photograph lies in two classes."""


class UnreadablePhotosError(TeachError):
    """Too many of the files are no photographs."""


class ClassNameError(TeachError):
    """A class without a name that can be shown."""


def few_classes(found: Sequence[str]) -> TooFewClassesError:
    """Fewer than two classes."""
    names = ", ".join(found)
    return TooFewClassesError(
        "there is nothing to tell apart",
        expected=f"{FEWEST_CLASSES} classes or more, each in a folder of its own",
        got=f"{len(found)}" + (f" ({names})" if names else ""),
        fix="make one folder for each class and put its photographs into it",
        vietnamese=f"chưa đủ lớp để phân biệt: cần ít nhất {FEWEST_CLASSES} lớp, mỗi lớp một thư mục ảnh; "
        f"hiện có {len(found)}" + (f" ({names})" if names else ""),
    )


def many_classes(count: int) -> TooManyClassesError:
    """More than fifty."""
    return TooManyClassesError(
        "there are too many classes",
        expected=f"at most {MOST_CLASSES}",
        got=str(count),
        fix="join classes that are alike, or teach several models",
        vietnamese=f"quá nhiều lớp: tối đa {MOST_CLASSES}, hiện có {count}; hãy gộp các lớp giống nhau "
        "hoặc dạy nhiều mô hình",
    )


def many_photos(count: int) -> TooManyPhotosError:
    """More than five thousand."""
    return TooManyPhotosError(
        "there are too many photographs",
        expected=f"at most {MOST_PHOTOS} in all",
        got=str(count),
        fix="leave some out; above this number training a network (vnvision train) pays",
        vietnamese=f"quá nhiều ảnh: tối đa {MOST_PHOTOS}, hiện có {count}; hãy bớt ảnh, hoặc huấn luyện "
        "mạng bằng lệnh vnvision train",
    )


def few_photos(short: Sequence[tuple[str, int, int]]) -> TooFewPhotosError:
    """Classes with too few photographs that differ: (class, how many differ, how many files)."""
    said = (
        f"{name}: {distinct} that differ among {files}, {FEWEST_PHOTOS - distinct} missing"
        for name, distinct, files in short
    )
    vi = (
        f"lớp {name} có {distinct} ảnh khác nhau trong {files} ảnh, còn thiếu {FEWEST_PHOTOS - distinct}"
        for name, distinct, files in short
    )
    return TooFewPhotosError(
        "too few photographs",
        expected=f"{FEWEST_PHOTOS} or more that differ in every class (copies and bursts count once)",
        got="; ".join(said),
        fix="take more photographs, of other plants or patients, as JPEG, PNG, WebP, TIFF, BMP or DICOM",
        vietnamese=f"chưa đủ ảnh: mỗi lớp cần ít nhất {FEWEST_PHOTOS} ảnh khác nhau (ảnh chép hoặc chụp "
        f"liên tiếp chỉ tính một); {'; '.join(vi)}; hãy chụp thêm cây hoặc ca khác "
        "(tệp JPEG, PNG, WebP, TIFF, BMP hoặc DICOM)",
    )


def few_groups(name: str, count: int) -> TooFewPhotosError:
    """A class whose photographs come from too few plants or patients to leave any out."""
    return TooFewPhotosError(
        f"the photographs of {name} come from too few plants or patients",
        expected=f"{FEWEST_GROUPS} groups or more",
        got=str(count),
        fix="add photographs of others",
        vietnamese=f"ảnh của lớp {name} chỉ thuộc {count} cây hoặc bệnh nhân; cần ít nhất {FEWEST_GROUPS}",
    )


def same_photo(one: str, first: str, other: str, second: str) -> SamePhotoError:
    """One picture in two classes: (name, class) twice."""
    return SamePhotoError(
        "one photograph lies in two classes",
        expected="every photograph in one class",
        got=f"{one} in {first}, {other} in {second}",
        fix="delete it from the class it does not belong to",
        vietnamese=f"một ảnh nằm trong hai lớp: {one} (lớp {first}) và {other} (lớp {second}); "
        "hãy xóa khỏi lớp sai",
    )


def unreadable(bad: Sequence[tuple[str, str]], count: int) -> UnreadablePhotosError:
    """More than a fifth of the files cannot be read: (name, why) of each."""
    some = "; ".join(f"{name} ({why})" for name, why in bad[:3])
    return UnreadablePhotosError(
        "too many files cannot be read as photographs",
        expected=f"at most {MOST_UNREADABLE:.0%}",
        got=f"{len(bad)} of {count}, such as {some}",
        fix="remove or save them again as JPEG or PNG",
        vietnamese=f"{len(bad)} trong {count} tệp không đọc được như ảnh, ví dụ "
        f"{', '.join(name for name, _ in bad[:3])}; hãy xóa hoặc lưu lại thành JPEG hay PNG",
    )


def bad_name(name: str) -> ClassNameError:
    """A class name that is empty, too long or cannot be shown."""
    return ClassNameError(
        "a class needs a name that can be read",
        expected="1 to 80 characters that can be shown",
        got=repr(name[:100]),
        vietnamese="tên lớp phải có từ 1 đến 80 ký tự hiển thị được",
    )
