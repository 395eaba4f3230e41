"""Texts of the clinic tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "clinic.banner": (
        "Chỉ để nghiên cứu và học tập. Không phải thiết bị y tế. Không dùng để chẩn đoán.",
        "For research and teaching only. Not a medical device. Not for diagnosis.",
    ),
    "clinic.lead": (
        "Gửi một ảnh hoặc tệp **DICOM**. Tên bệnh nhân ghi trong tệp không được hiện, không được lưu; "
        "chữ in sẵn trên ảnh thì vẫn thấy.",
        "Send a picture or a **DICOM** file. The patient's name in its header is neither shown nor kept; "
        "letters burned into the picture stay visible.",
    ),
    "clinic.file": ("Ảnh hoặc tệp DICOM", "Picture or DICOM file"),
    "clinic.expert": ("Xem gì?", "What to look for?"),
    "clinic.auto": ("Tự nhận ra", "Find out by itself"),
    "clinic.reference": ("Mã ca (đừng ghi tên bệnh nhân)", "Case number (no patient's name)"),
    "clinic.reference_default": ("Ca {at}", "Case {at}"),
    "clinic.none": ("Chưa có ảnh", "No picture yet"),
    "clinic.none_lead": (
        "Câu trả lời hiện ở đây, kèm mức chắc chắn. Khi không chắc, mô hình không trả lời.",
        "The answer appears here with how sure it is. Where it is not sure, the model gives none.",
    ),
    "clinic.window": ("Cửa sổ xám", "Grey window"),
    "clinic.preset": ("Kiểu hiển thị", "Preset"),
    "clinic.center": ("Tâm", "Centre"),
    "clinic.width": ("Độ rộng", "Width"),
    "clinic.view_alt": ("Ảnh dưới cửa sổ đang chọn", "The picture under the chosen window"),
    "clinic.view_none": (
        "Ảnh DICOM hiện ở đây để chỉnh cửa sổ.",
        "The scan appears here, to set its window.",
    ),
    "clinic.fact.size": ("{height} × {width} điểm ảnh", "{height} × {width} pixels"),
    "clinic.fact.spacing": ("{row} × {column} mm mỗi điểm", "{row} × {column} mm a pixel"),
    "clinic.fact.frames": ("{count} khung hình, xem khung đầu", "{count} frames, the first is shown"),
    "clinic.view_note": (
        "Cửa sổ chỉ đổi cách nhìn. Mô hình luôn xem ảnh theo cách nó đã học.",
        "The window changes only what you see. The model always sees the picture as it was taught.",
    ),
    "clinic.crop": (
        "Đây có vẻ là ảnh cây trồng. Hãy mở thẻ Cây trồng và gửi ảnh ở đó.",
        "This looks like a crop picture. Open the tab Crops and send it there.",
    ),
    "clinic.dicom": ("Tải kết quả DICOM (SR)", "Download DICOM results (SR)"),
    "clinic.example.smear": ("Phết máu", "Blood smear"),
    "clinic.example.ct": ("Phim CT (mẫu của pydicom)", "CT slice (pydicom's sample)"),
    "clinic.example.us": ("Siêu âm (mẫu của pydicom)", "Ultrasound (pydicom's sample)"),
    "clinic.example.note": ("hình vẽ và tệp mẫu, không có bệnh nhân nào của ta", "drawn, and sample files"),
}
