"""What the shortcut probe says, Vietnamese and English side by side: (vi, en)."""

from __future__ import annotations

from typing import Literal

Language = Literal["vi", "en"]

VIEWS: dict[str, tuple[str, str]] = {
    "thumbnail": ("Ảnh xám thu nhỏ 8 × 8", "An 8 × 8 grey thumbnail"),
    "exposure": ("Độ sáng và màu trung bình", "Exposure and mean colour"),
    "border": ("Viền ảnh (một phần mười ngoài cùng)", "The border (outermost tenth)"),
    "corners": ("Bốn góc ảnh", "The four corners"),
    "background": ("Phần nền", "The background"),
    "metadata": ("Thông tin tệp (kích thước, dung lượng, chất lượng JPEG)",
                 "The file (size, bytes, JPEG quality)"),
}  # fmt: skip
COVERS: dict[str, tuple[str, str]] = {
    "mask": ("ngoài vùng khoanh", "outside the masks"),
    "object": ("ngoài vật thể, ở ảnh có nền trơn", "outside the object, where the ground is plain"),
    "centre": ("che phần giữa ảnh", "with the middle covered"),
}
REACHES = (
    "{view}: chỉ chừng đó đã đạt {measure} {value} [{low}; {high}], đoán mò đạt {chance}",
    "{view} alone: {measure} {value} [{low}, {high}], chance {chance}",
)
MEASURES: dict[str, tuple[str, str]] = {
    "balanced_accuracy": ("tỉ lệ đúng cân bằng", "balanced accuracy"),
    "accuracy": ("tỉ lệ đúng", "accuracy"),
}
VERDICTS: dict[str, tuple[str, str]] = {
    # Nothing of the subject is in view: outside a mask or an object, or the file alone.
    "strong": (
        "{reaches}. Mô hình có thể đạt điểm mà không cần nhìn vật thể. Đừng tin kết quả trên bộ ảnh này khi "
        "chưa "
        "thử với ảnh chụp ở nơi khác.",
        "{reaches}. A model can score without looking at the subject. Do not believe a figure from these "
        "pictures "
        "before it was tried on pictures taken elsewhere.",
    ),
    # Border, corners and covered middle: a subject that fills the picture reaches into them.
    "strong_edge": (
        "{reaches}. Mô hình có thể đạt điểm nhờ những gì quanh vật thể, hoặc phần vật thể lấn ra đó. Đừng "
        "tin kết "
        "quả trên bộ ảnh này khi chưa thử với ảnh chụp ở nơi khác.",
        "{reaches}. A model can score from what lies around the subject, or from what of it reaches that "
        "far. Do "
        "not believe a figure from these pictures before it was tried on pictures taken elsewhere.",
    ),
    # Thumbnail and exposure still hold the subject, only nothing of its form.
    "strong_seen": (
        "{reaches}. Nhãn gần như lộ ra từ sáng tối và màu. Nếu bệnh không dễ thấy đến thế, mô hình có thể "
        "học cách "
        "chụp thay vì học bệnh: đừng tin kết quả khi chưa thử với ảnh chụp ở nơi khác.",
        "{reaches}. Light and colour nearly give the label away. Unless the disease is that plain to see, a "
        "model "
        "may learn how the pictures were taken: do not believe its figure before it was tried on pictures "
        "taken "
        "elsewhere.",
    ),
    "some": (
        "{reaches}. Cao hơn đoán mò: một phần kết quả của mô hình có thể đến từ đây.",
        "{reaches}. Above chance: part of a model's score may come from it.",
    ),
    "none": ("{reaches}. Không chắc là hơn đoán mò.", "{reaches}. Not clearly above chance."),
    "unknown": ("{view}: không đủ ảnh để kết luận.", "{view}: too few pictures to tell."),
}


def verdict_key(view: str, cover: str | None, verdict: str) -> str:
    """Which sentence of ``VERDICTS`` a verdict is said with."""
    if verdict != "strong":
        return verdict
    if view in ("thumbnail", "exposure"):
        return "strong_seen"
    return "strong_edge" if view in ("border", "corners") or cover == "centre" else "strong"


WARNINGS: dict[str, tuple[str, str]] = {
    "few": (
        "chỉ có {images} ảnh thuộc {groups} nhóm để thử: khoảng tin cậy rộng, một lối tắt yếu có thể không "
        "lộ ra",
        "only {images} pictures in {groups} groups to test on: intervals are wide, and a weak shortcut may "
        "not "
        "show",
    ),
    "no_groups": (
        "không có group_id: mỗi ảnh tính là một nhóm; nếu ảnh chụp liên tiếp, các con số quá cao",
        "no group_id: each picture counts as its own group; if some belong together, the figures are too "
        "high",
    ),
    "judged_on_accuracy": (
        "tỉ lệ đúng cân bằng không có khoảng tin cậy (một lớp có quá ít nhóm, hoặc không sai lần nào); xét "
        "theo "
        "tỉ lệ đúng",
        "balanced accuracy has no interval (a class with too few groups, or no mistake); judged on accuracy",
    ),
    "test_split": (
        "đã nhìn vào tập kiểm tra: hãy ghi lại lần nhìn này",
        "this looked at the test split: note it down",
    ),
}  # fmt: skip


def say(pair: tuple[str, str], language: Language, **fields: str) -> str:
    """One of the two, its fields filled in."""
    return pair[language == "en"].format(**fields)


def view_name(view: str, cover: str | None, language: Language) -> str:
    """A view in words; of the background, with how the subject was covered."""
    name = say(VIEWS[view], language)
    return f"{name} ({say(COVERS[cover], language)})" if cover else name


def number(value: float, language: Language) -> str:
    """``0.76``, with a comma in Vietnamese."""
    text = f"{value:.2f}"
    return text.replace(".", ",") if language == "vi" else text


def warning(text: str, language: Language) -> str:
    """A warning as it travels in a report (English), in one language."""
    if language == "en":
        return text
    import re

    for vi, en in WARNINGS.values():
        parts = re.split(r"\{(\w+)\}", en)
        found = re.fullmatch(
            "".join(f"(?P<{p}>.+?)" if i % 2 else re.escape(p) for i, p in enumerate(parts)), text
        )
        if found:
            return vi.format(**found.groupdict())
    return text
