"""What the score means, in plain words and both languages."""

from __future__ import annotations

from collections.abc import Sequence

from vnvision.records import Metric
from vnvision.teach.records import ClassRow, Note

WIDE = 0.2
"""An interval wider than this says little."""
UNEVEN = 3
"""The commonest class has this many times the photographs of the rarest."""


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
    rows: Sequence[ClassRow], *, across: int, unreadable: int, patients: bool, limit: float | None
) -> tuple[Note, ...]:
    """What to know of the photographs before believing the score."""
    found = [
        Note(
            code="same_place",
            en="The score is for photographs like these: the same cameras, places and season. Try it"
            " elsewhere first.",
            vi="Điểm này chỉ đúng với ảnh như bộ ảnh này: cùng máy, cùng nơi, cùng mùa. Hãy thử ở nơi"
            " khác trước.",
        )
    ]
    if patients:
        found.append(
            Note(
                code="patients",
                en="If one patient has several photographs, put them into one folder and use by_folder:"
                " else the score is too high.",
                vi="Nếu một bệnh nhân có nhiều ảnh, hãy để chung một thư mục và bật by_folder: nếu không"
                " điểm sẽ cao hơn thật.",
            )
        )
    copies = [row for row in rows if row.distinct < row.photos]
    if copies:
        names = ", ".join(f"{row.label.vi} ({row.photos - row.distinct})" for row in copies)
        found.append(
            Note(
                code="copies",
                en=f"Copies or bursts were counted once: {names}.",
                vi=f"Ảnh chép hoặc chụp liên tiếp chỉ tính một lần: {names}.",
            )
        )
    if across:
        found.append(
            Note(
                code="alike_across",
                en=f"{across} groups of near-duplicates lie in more than one class: look at them again.",
                vi=f"{across} nhóm ảnh gần giống nhau nằm ở nhiều lớp: hãy xem lại.",
            )
        )
    if unreadable:
        found.append(
            Note(
                code="unreadable",
                en=f"{unreadable} files could not be read and were passed over.",
                vi=f"{unreadable} tệp không đọc được nên đã bỏ qua.",
            )
        )
    counts = [row.photos for row in rows]
    if max(counts) >= UNEVEN * min(counts):
        found.append(
            Note(
                code="uneven",
                en=f"The classes are uneven ({min(counts)} to {max(counts)} photographs): go by recall.",
                vi=f"Số ảnh các lớp chênh lệch ({min(counts)} đến {max(counts)}): xem tỉ lệ đúng cân bằng.",
            )
        )
    if limit is None:
        found.append(
            Note(
                code="no_limit",
                en="There is no limit of confidence: it answers for every photograph that looks like these.",
                vi="Chưa đặt được ngưỡng tự tin: mô hình trả lời mọi ảnh trông giống bộ ảnh này.",
            )
        )
    return tuple(found)
