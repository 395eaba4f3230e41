"""Texts of the crops tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "crops.lead": (
        "Chụp rõ **một chiếc lá**, ngoài sáng, giữ chắc tay. Ảnh được xem ngay trên máy này.",
        "Photograph **one leaf**, in daylight, holding still. It is looked at on this machine.",
    ),
    "crops.photo": ("Ảnh lá cây", "Photo of a leaf"),
    "crops.expert": ("Cây gì?", "Which crop?"),
    "crops.auto": ("Tự nhận ra", "Find out by itself"),
    "crops.severity": (
        "Đo thêm phần lá bị bệnh (thử nghiệm)",
        "Also measure the diseased share (experimental)",
    ),
    "crops.severity_title": ("Phần lá bị bệnh (thử nghiệm)", "Diseased share of the leaf (experimental)"),
    "crops.severity_note": (
        "Phép đo này mới học từ lá vẽ bằng máy, chưa kiểm chứng trên lá thật. Khi nền có lá khác hay đất, số "
        "này thường sai.",
        "This was learned from drawn leaves only, and was never checked on real ones. Where other leaves or "
        "soil lie behind, it is often wrong.",
    ),
    "crops.none": ("Chưa có ảnh", "No picture yet"),
    "crops.none_lead": (
        "Câu trả lời hiện ở đây: bệnh gì, chắc đến đâu, mô hình nhìn vào đâu, nên làm gì.",
        "The answer appears here: which disease, how sure, where the model looked, and what to do.",
    ),
    "crops.clinic_plain": (
        "Đây có vẻ là ảnh y tế. Hãy mở thẻ Phòng khám và gửi ảnh ở đó.",
        "This looks like a clinic picture. Open the tab Clinic and send it there.",
    ),
    "crops.strange": ("Chưa nhận ra loại ảnh này", "This kind of picture is not known"),
    "crops.reference": ("Ảnh lá cây", "Leaf photo"),
    "crops.example.spots": ("Lá đậu có đốm", "Bean leaf with spots"),
    "crops.example.blight": ("Lá cháy một phần", "Leaf partly blighted"),
    "crops.example.stranger": ("Không phải lá cây", "Not a leaf"),
    "crops.answered_by": (
        "Chuyên gia: {name} (tự chọn, chắc {share})",
        "Expert: {name} (chosen, {share} sure)",
    ),
}
