"""Texts of the batch tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "batch.lead": (
        "Gửi nhiều ảnh cùng lúc (tối đa {most}), hoặc một tệp zip. Có bảng CSV cho Excel và phiếu PDF.",
        "Send many pictures at once (at most {most}), or one zip. You get a CSV table for Excel, and a PDF.",
    ),
    "batch.files": ("Ảnh, hoặc một tệp zip", "Pictures, or one zip"),
    "batch.title": ("Tên của loạt ảnh này", "What this batch is called"),
    "batch.go": ("Xem tất cả", "Look at all"),
    "batch.none": ("Chưa có loạt ảnh nào", "No batch yet"),
    "batch.none_lead": (
        "Kết quả hiện ở đây: bao nhiêu ảnh bệnh gì, ảnh nào không chắc, ảnh nào không đọc được.",
        "Results appear here: how many of what, which are not sure, which cannot be read.",
    ),
    "batch.need": ("Hãy gửi ảnh hoặc một tệp zip trước.", "Send pictures or a zip first."),
    "batch.done": ("Đã xem {count} ảnh trong {seconds} giây", "{count} pictures in {seconds} seconds"),
    "batch.answered": ("Có trả lời", "Answered"),
    "batch.abstained": ("Không chắc chắn", "Not sure"),
    "batch.no_expert": ("Ảnh lạ", "Strange pictures"),
    "batch.unread": ("Không đọc được", "Unreadable"),
    "batch.csv": ("Tải bảng CSV", "Download the table"),
    "batch.pdf": ("PDF: {name}", "PDF: {name}"),
    "batch.file": ("Ảnh", "Picture"),
    "batch.expert": ("Chuyên gia", "Expert"),
    "batch.answer": ("Trả lời", "Answer"),
    "batch.first": ("{shown} ảnh đầu; bảng CSV có tất cả.", "The first {shown}; the table has all."),
    "batch.stage.open": ("Mở mô hình", "Opening models"),
    "batch.stage.predict": ("Xem ảnh", "Looking at pictures"),
    "batch.stage.write": ("Lập bảng và phiếu", "Writing table and pages"),
    "batch.stage.unpack": ("Giải nén", "Unpacking"),
    "batch.stage.done": ("Xong", "Done"),
    "batch.example.leaves": ("12 lá vẽ", "12 drawn leaves"),
}
