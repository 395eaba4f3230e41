"""What can be wrong with an uploaded zip, in both languages."""

from __future__ import annotations

from vnvision.errors import DataError


def damaged(name: str, why: str) -> DataError:
    """Cut short, changed, or never a zip that holds together."""
    return DataError(
        f"{name} is damaged",
        expected="a whole zip file",
        got=why,
        fix="make the zip again, or upload it again",
        vietnamese=f"{name} bị hỏng; hãy nén lại hoặc tải lên lại",
    )


def not_a_zip(name: str, got: str) -> DataError:
    """Another kind of file."""
    return DataError(
        f"{name} is not a zip file",
        expected="a zip of folders of pictures",
        got=got,
        fix="put the folder into a zip: right click, compress",
        vietnamese=f"{name} không phải tệp zip; hãy nén thư mục ảnh thành tệp .zip rồi tải lên",
    )


def encrypted(name: str) -> DataError:
    """Protected by a password."""
    return DataError(
        f"{name} is protected by a password",
        expected="a zip without one",
        fix="make the zip again without a password",
        vietnamese=f"{name} có đặt mật khẩu; hãy nén lại không dùng mật khẩu",
    )


def unsafe(name: str, entry: str) -> DataError:
    """A name that leads out of the folder."""
    return DataError(
        f"{name} holds a name that leads out of its folder",
        expected="names such as An/1.jpg",
        got=entry,
        fix="make the zip again from the folder itself",
        vietnamese=f"{name} chứa tên tệp trỏ ra ngoài thư mục ({entry}); hãy nén lại từ chính thư mục ảnh",
    )


def overlapping(name: str) -> DataError:
    """Entries share bytes, which no program that makes zips does."""
    return DataError(
        f"{name} holds files that lie over each other",
        expected="each file in a place of its own",
        fix="make the zip again",
        vietnamese=f"{name} có các tệp nằm chồng lên nhau; hãy nén lại",
    )


def other_method(name: str, entry: str, method: int) -> DataError:
    """Packed in a way that is not read."""
    return DataError(
        f"{name} packs {entry} in a way that is not read here",
        expected="the usual zip (stored or deflated)",
        got=f"method {method}",
        fix="make the zip again with the usual setting",
        vietnamese=f"{name} dùng kiểu nén không được hỗ trợ; hãy nén lại với thiết lập zip thông thường",
    )


def too_large(name: str, what: tuple[str, str], most: str, got: str | None = None) -> DataError:
    """Over a limit; ``what`` is what there is too much of, in English and Vietnamese."""
    return DataError(
        f"{name} holds too much: {what[0]}",
        expected=f"at most {most}",
        got=got,
        fix="divide it into several zips",
        vietnamese=f"{name} quá lớn: {what[1]} không được quá {most.replace(',', '.')}; "
        "hãy chia thành nhiều tệp zip",
    )


def suspicious(name: str, most: int) -> DataError:
    """Grows more than pictures ever do."""
    return DataError(
        f"{name} grows too much while it is unpacked",
        expected=f"at most {most} times its own size",
        fix="zip the pictures themselves",
        vietnamese=f"{name} phình ra quá mức khi giải nén (hơn {most} lần); hãy nén chính các tệp ảnh",
    )


def nothing_inside(name: str, skipped: int) -> DataError:
    """No picture in it."""
    return DataError(
        f"{name} holds no picture",
        expected="JPEG, PNG, WebP, TIFF, BMP or DICOM files",
        got=f"{skipped} other files" if skipped else "nothing",
        fix="put the pictures into folders and zip those",
        vietnamese=f"{name} không có ảnh nào; hãy nén thư mục có ảnh JPEG, PNG, WebP, TIFF, BMP hoặc DICOM",
    )


def not_written(name: str, why: str) -> DataError:
    """The disk of this machine is at fault."""
    return DataError(
        f"{name} cannot be unpacked on this machine",
        got=why,
        fix="make room on the disk",
        vietnamese=f"không giải nén được {name} trên máy này ({why}); hãy kiểm tra dung lượng đĩa",
    )


def megabytes(count: int) -> str:
    """A number of bytes for people."""
    return f"{count / (1 << 20):,.0f} MB" if count >= 1 << 20 else f"{count:,} B"
