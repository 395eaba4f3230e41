"""Every text the results show or store, Vietnamese and English side by side."""

from __future__ import annotations

from vnvision.clinic.results.records import Language

RESEARCH = "RESEARCH USE"
"""Burned into every picture, whatever its language."""

TEXTS: dict[str, tuple[str, str]] = {
    "statement": (
        "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế",
        "Research use, not a medical device",
    ),
    "answer": ("Trả lời", "Answer"),
    "answer_given": ("Mô hình có trả lời", "The model gives an answer"),
    "reason": ("Lý do không trả lời", "Reason for giving no answer"),
    "unsure": ("Không đủ chắc chắn để trả lời", "Not sure enough to answer"),
    "nothing": ("Không thấy gì", "Nothing found"),
    "severity": ("Mức độ nặng (phần bị bệnh)", "Severity (diseased share)"),
    "area": ("Diện tích: {label}", "Area: {label}"),
    "area_word": ("diện tích", "area"),
    "count": ("Số lượng: {label}", "Number of: {label}"),
    "probability": ("Xác suất: {label}", "Probability: {label}"),
    "probability_word": ("xác suất", "probability"),
    "heat": ("{label} thấy ở đâu: ít – nhiều", "Where {label} was seen: little – much"),
    "pixels": ("điểm ảnh", "pixels"),
    "model": ("Mô hình: {name}, phiên bản {version}", "Model: {name}, version {version}"),
    "trained_on": ("Huấn luyện trên: {data}", "Trained on: {data}"),
    "present_from": (
        "Coi là có khi xác suất từ {percent}% trở lên",
        "Present from a probability of {percent}% on",
    ),
    "calibrated": (
        "Xác suất là số đã hiệu chuẩn của mô hình, không phải chẩn đoán",
        "Probabilities are the model's calibrated figures, not a diagnosis",
    ),
    "drawn": (
        "Ảnh nguồn, vẽ thêm kết quả của mô hình {name}",
        "Source image with the result of the model {name} drawn on it",
    ),
    "reason.low_confidence": ("Độ tự tin quá thấp", "Confidence too low"),
    "reason.out_of_scope": ("Không phải loại ảnh mà mô hình biết", "Not the kind of picture the model knows"),
    "reason.too_blurred": ("Ảnh quá mờ", "Picture too blurred"),
    "reason.too_dark": ("Ảnh quá tối", "Picture too dark"),
    "reason.too_bright": ("Ảnh quá sáng", "Picture too bright"),
    "series.sr": ("Báo cáo AI (nghiên cứu)", "AI report (research)"),
    "series.sc": ("Ảnh AI (nghiên cứu)", "AI picture (research)"),
    "series.seg": ("Vùng AI (nghiên cứu)", "AI segmentation (research)"),
}


def text(key: str, language: Language, **fields: str) -> str:
    """One text with its fields filled in."""
    return TEXTS[key][0 if language == "vi" else 1].format(**fields)


def reason_text(code: str, language: Language) -> str:
    """A reason code in words; the code itself where there are none for it."""
    key = f"reason.{code}"
    return text(key, language) if key in TEXTS else code.replace("_", " ")


def number(value: float, digits: int, language: Language) -> str:
    """A number as people write it there: 12,5 in Vietnamese, 12.5 in English."""
    shown = f"{value:,.{digits}f}"
    return shown.translate(str.maketrans(",.", ".,")) if language == "vi" else shown
