"""What the page of a grouped folder says, Vietnamese and English side by side."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Người trong ảnh", "People in these photos"),
    "lead": (
        "Các khuôn mặt giống nhau được gom thành từng người, không có tên. "
        "Máy có thể nhầm: hãy xem lại trước khi dùng.",
        "Faces that are alike are grouped by person, without names. "
        "Groups can be wrong: look at them before you use them.",
    ),
    "private": (
        "Trang này chứa khuôn mặt thật: hãy giữ kín như giữ ảnh gốc.",
        "This page shows real faces: keep it as private as the photos.",
    ),
    "photos": ("ảnh đã xem", "photos looked at"),
    "faces": ("khuôn mặt", "faces"),
    "people": ("người", "people"),
    "repeated": ("người có từ 2 ảnh", "people in 2 photos or more"),
    "threshold": (
        "Ngưỡng giống nhau {value:.3f} ({source}).",
        "Similarity threshold {value:.3f} ({source}).",
    ),
    "point": (
        "{target}, nhóm {population}, đo trên {n} phép so sánh hai người khác nhau",
        "{target} for {population}, measured on {n} comparisons of two people",
    ),
    "number": ("do người dùng chọn", "stated by the user"),
    "person": ("Người {number}", "Person {number}"),
    "in_photos": ("{photos} ảnh, {faces} khuôn mặt", "photos: {photos}, faces: {faces}"),
    "lowest": ("độ giống thấp nhất với các ảnh còn lại {value:.2f}", "least like the others: {value:.2f}"),
    "unsure": ("nên xem lại", "worth a look"),
    "more": ("và {count} khuôn mặt nữa trong clusters.csv", "and {count} more in clusters.csv"),
    "once": ("Chỉ thấy trong một ảnh", "Seen in one photo only"),
    "few": (
        "{count} người khác chỉ có trong clusters.csv: trang này hiện tối đa {most} khuôn mặt.",
        "{count} more people are in clusters.csv only: this page shows {most} faces at most.",
    ),
    "rest": ("Những gì không có ở trên", "What is not above"),
    "left_out": (
        "{count} khuôn mặt quá nhỏ để phân biệt (hai mắt cách nhau dưới {limit:.0f} điểm ảnh)",
        "{count} faces too small to be told apart (eyes less than {limit:.0f} pixels apart)",
    ),
    "without": ("{count} ảnh không thấy khuôn mặt", "{count} photos without a face"),
    "unreadable": ("{count} ảnh không đọc được", "{count} photos that cannot be read"),
    "copies": (
        "{count} ảnh là bản sao của ảnh khác, mỗi người chỉ được tính một lần",
        "{count} photos are copies of others; a person in them is counted once",
    ),
    "alt": ("khuôn mặt trong {path}", "face in {path}"),
}
