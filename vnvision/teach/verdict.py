"""What the score means, in plain words and both languages."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.records import Metric
from vnvision.teach.records import ClassRow, Note

ALIKE_ACROSS = "alike_across"
WIDE = 0.2
"""An interval wider than this says little."""
UNEVEN = 3
"""The commonest class has this many times the photographs of the rarest."""
NOTES: dict[str, tuple[str, str]] = {
    "same_place": (
        "Điểm này chỉ đúng với ảnh như bộ ảnh này: cùng máy, cùng nơi, cùng mùa. Hãy thử ở nơi khác trước.",
        "The score is for photographs like these: same cameras, places and season. Try it elsewhere first.",
    ),
    "patients": (
        "Nếu một bệnh nhân có nhiều ảnh, hãy để chung một thư mục và bật by_folder: nếu không điểm sẽ cao"
        " hơn thật.",
        "If one patient has several photographs, put them into one folder and use by_folder: else the score"
        " is too high.",
    ),
    "copies": (
        "Ảnh chép hoặc chụp liên tiếp chỉ tính một lần: {copies}.",
        "Copies or bursts were counted once: {copies}.",
    ),
    ALIKE_ACROSS: (
        "{count} nhóm ảnh gần giống nhau nằm ở nhiều lớp: xem lại {one} và {other}.",
        "{count} groups of near-duplicates lie in several classes: look at {one} and {other}.",
    ),
    "unreadable": (
        "{count} tệp không đọc được nên đã bỏ qua.",
        "{count} files could not be read and were passed over.",
    ),
    "uneven": (
        "Số ảnh các lớp chênh lệch ({least} đến {most}): xem tỉ lệ đúng cân bằng.",
        "The classes are uneven ({least} to {most} photographs): go by balanced accuracy.",
    ),
    "no_limit": (
        "Chưa đặt được ngưỡng tự tin: mô hình trả lời mọi ảnh trông giống bộ ảnh này.",
        "There is no limit of confidence: the model answers for every photograph that looks like these.",
    ),
}
"""What to know before use: (vi, en)."""


def verdict(accuracy: Metric, balanced: Metric, guessing: float, commonest: str, classes: int) -> Note:
    """Whether the model is better than always naming the commonest class, and how sure that is.

    Better: the interval of mean recall lies above 1/C, and, where the classes are even enough for accuracy to
    say anything, the point lies above guessing.
    """
    value, low, high = accuracy.value or 0.0, accuracy.low, accuracy.high
    right, blind = round(100 * value), round(100 * guessing)
    span_en = "" if low is None or high is None else f" (between {100 * low:.0f} and {100 * high:.0f})"
    span_vi = "" if low is None or high is None else f" (từ {100 * low:.0f} đến {100 * high:.0f})"
    en = f"right for {right} of 100 photographs it had not seen{span_en}; "
    en += f"always answering {commonest} would be right for {blind}"
    vi = f"đúng {right} trên 100 ảnh chưa từng thấy{span_vi}; "
    vi += f"nếu lúc nào cũng trả lời {commonest} thì đúng {blind}"
    floor = balanced.low if balanced.low is not None else low
    if floor is None or floor <= 1 / classes or value <= guessing:
        return Note(
            code="not_better",
            en=f"Not shown to be better than guessing: {en}. Do not use it yet.",
            vi=f"Chưa chứng tỏ được là hơn đoán mò: {vi}. Chưa nên dùng.",
        )
    if low is not None and high is not None and high - low > WIDE:
        return Note(
            code="wide",
            en=f"Better than guessing, but how good is not sure: {en}. More photographs would tell.",
            vi=f"Hơn đoán mò, nhưng chưa rõ tốt đến đâu: {vi}. Cần thêm ảnh để biết chắc hơn.",
        )
    return Note(code="better", en=f"Better than guessing: {en}.", vi=f"Hơn đoán mò: {vi}.")


def data_notes(
    rows: Sequence[ClassRow],
    *,
    across: Sequence[tuple[str, str]],
    unreadable: int,
    patients: bool,
    limit: float | None,
) -> tuple[Note, ...]:
    """What to know of the photographs before believing the score.

    Args:
        rows: the classes.
        across: two near-duplicates of every group of them that lies in several classes.
        unreadable: files that were passed over.
        patients: nobody has said which photographs are of one patient.
        limit: of confidence; None where none was set.
    """
    counts = [row.photos for row in rows]
    copies = ", ".join(
        f"{row.label.vi} ({row.photos - row.distinct})" for row in rows if row.distinct < row.photos
    )
    one, other = across[0] if across else ("", "")
    told: dict[str, tuple[bool, dict[str, object]]] = {
        "same_place": (True, {}),
        "patients": (patients, {}),
        "copies": (bool(copies), {"copies": copies}),
        ALIKE_ACROSS: (bool(across), {"count": len(across), "one": one, "other": other}),
        "unreadable": (unreadable > 0, {"count": unreadable}),
        "uneven": (max(counts) >= UNEVEN * min(counts), {"least": min(counts), "most": max(counts)}),
        "no_limit": (limit is None, {}),
    }
    return tuple(
        Note(code=code, vi=NOTES[code][0].format(**values), en=NOTES[code][1].format(**values))
        for code, (holds, values) in told.items()
        if holds
    )
