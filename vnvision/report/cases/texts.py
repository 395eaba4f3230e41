"""Every text of the case and batch pages that the hub does not have, Vietnamese and English side by side."""

from __future__ import annotations

from typing import Any

from vnvision.hub.library import LANGUAGES, Language
from vnvision.report.phrases import local

TEXTS: dict[str, tuple[str, str]] = {
    # Frame
    "title": ("Phiếu kết quả ảnh", "Picture report"),
    "batch_title": ("Phiếu kết quả nhiều ảnh", "Report on a batch of pictures"),
    "reference": ("Mã", "Reference"),
    "made": ("Ngày lập", "Made on"),
    "model": ("Mô hình", "Model"),
    "domain.crop": ("Cây trồng", "Crop"),
    "domain.clinic": ("Y tế", "Clinic"),
    "made_by": (
        "Lập bởi vnvision, ngay trên máy này. Không ảnh nào rời máy.",
        "Made by vnvision on this machine. No picture leaves it.",
    ),
    "page": ("Trang {page}", "Page {page}"),
    # Warnings
    "synthetic": (
        "Mô hình này chỉ học từ ảnh do chương trình vẽ ra. Đừng dùng câu trả lời cho ảnh thật.",
        "This model learned only from pictures drawn by a program. Do not use the answer for real ones.",
    ),
    "uncalibrated": (
        "Xác suất của mô hình này chưa được hiệu chuẩn: đừng đọc như tần suất thật.",
        "The probabilities of this model were not calibrated: do not read them as true frequencies.",
    ),
    # Pictures
    "picture": ("Ảnh", "Picture"),
    "picture_alt": ("Ảnh được gửi vào", "The picture that was given"),
    "heat": ("Nơi mô hình thấy: {label}", "Where the model saw: {label}"),
    "heat_alt": (
        "Cùng ảnh đó, tô sáng nơi mô hình dựa vào để trả lời {label}",
        "The same picture, bright where the model saw {label}",
    ),
    "heat_key": ("ít – nhiều, trong riêng ảnh này", "little – much, within this picture"),
    "heat_limit": (
        "Bản đồ cho biết mô hình nhìn vào đâu, không cho biết câu trả lời có đúng không.",
        "The map says where the model looked, not whether the answer is right.",
    ),
    "mask": ("Vùng mô hình tô", "Areas the model marked"),
    "mask_alt": ("Cùng ảnh đó, tô vùng: {labels}", "The same picture with these areas marked: {labels}"),
    "boxes": ("Vật mô hình đếm", "Objects the model counted"),
    "boxes_alt": (
        "Cùng ảnh đó, có {count} khung quanh vật tìm thấy",
        "The same picture with {count} boxes around what was found",
    ),
    # Answers
    "answer": ("Trả lời của mô hình", "The model's answer"),
    "probability": ("{words} ({number})", "{words} ({number})"),
    "over": ("trên 99%", "over 99%"),
    "under": ("dưới 1%", "under 1%"),
    "all_labels": ("Xác suất của từng nhãn", "Probability of each label"),
    "rest": ("{count} nhãn còn lại", "{count} other labels"),
    "none_present": ("Không thấy nhãn nào", "None of the labels"),
    "present_rule": (
        "Coi là có khi xác suất từ {share} trở lên.",
        "A label counts as present from a probability of {share} on.",
    ),
    "against": ("{label} {number}: {stands}.", "{label} {number}: {stands}."),
    "threshold_over": ("đạt ngưỡng {limit} ({target})", "at or above the threshold {limit} ({target})"),
    "threshold_under": ("dưới ngưỡng {limit} ({target})", "below the threshold {limit} ({target})"),
    "alert": (
        "Chú ý: {label} không phải câu trả lời có xác suất cao nhất nhưng vẫn đạt ngưỡng. Cần xem lại.",
        "Note: {label} is not the likeliest answer, yet it reaches a threshold. Look again.",
    ),
    "target.specificity": ("độ đặc hiệu {value}", "specificity {value}"),
    "target.sensitivity": ("độ nhạy {value}", "sensitivity {value}"),
    "severity": ("Phần diện tích bị bệnh: {number}", "Diseased share of the area: {number}"),
    "severity_big": ("{number} diện tích bị bệnh", "{number} of the area is diseased"),
    "severity_error": (
        "Sai số đo được: trung bình {error} điểm phần trăm ({n} ảnh kiểm tra).",
        "Measured error: {error} percentage points on average ({n} test pictures).",
    ),
    "severity_no_error": (
        "Sai số của tỉ lệ này chưa được đo.",
        "The error of this share has not been measured.",
    ),
    "severity_none": (
        "Không tìm thấy phần cần đo, nên không có tỉ lệ bị bệnh.",
        "What the share is of was not found, so there is no diseased share.",
    ),
    "areas": ("Diện tích từng vùng, so với cả ảnh", "Area of each part, of the whole picture"),
    "found_area": ("{label}: {number} diện tích ảnh", "{label}: {number} of the picture"),
    "not_found": ("Không tìm thấy {label}", "{label}: not found"),
    "not_found_limit": (
        "Không tìm thấy không có nghĩa là không có.",
        "Not found does not mean that there is none.",
    ),
    "dice": (
        "Độ trùng với vùng do người vẽ: Dice {value} ({n} ảnh kiểm tra).",
        "Overlap with areas drawn by people: Dice {value} ({n} test pictures).",
    ),
    "counted": ("Đếm được {count}", "{count} found"),
    "counts": ("Số lượng từng loại", "Count of each kind"),
    "count_error": ("{count} (lệch trung bình {error})", "{count} (off by {error} on average)"),
    "count_error_line": (
        "Độ lệch trung bình đo trên {n} ảnh kiểm tra.",
        "Average errors measured on {n} test pictures.",
    ),
    # No answer
    "unsure": ("Không chắc chắn", "Not sure"),
    "unsure_why": ("Mô hình không đưa ra câu trả lời", "The model gives no answer"),
    "next": ("Nên làm gì tiếp", "What to do next"),
    "closest": (
        "Mô hình phân vân giữa (đây không phải câu trả lời)",
        "The model wavered between (this is not an answer)",
    ),
    # Advice
    "about_label": ("Về: {label}", "About: {label}"),
    "section.what": ("Đây là gì", "What it is"),
    "section.look_for": ("Cần nhìn gì", "What to look for"),
    "section.care": ("Chăm sóc", "Care"),
    "section.call_for_help": ("Khi nào cần gọi ai", "When to call whom"),
    "sources": ("Nguồn", "Sources"),
    "no_texts": (
        "Chưa có nội dung hướng dẫn cho nhãn này.",
        "There are no texts on this label.",
    ),
    "cut": ("(còn nữa trong bản html)", "(more in the html page)"),
    # Model
    "about_model": ("Về mô hình", "About the model"),
    "version": ("Phiên bản", "Version"),
    "version_value": ("{sha} · mã nguồn {commit}", "{sha} · commit {commit}"),
    "data": ("Học từ dữ liệu", "Trained on"),
    "data_value": (
        "{name}; nguồn: {sources}; nơi chụp: {regions}",
        "{name}; source: {sources}; region: {regions}",
    ),
    "licences": ("Giấy phép", "Licences"),
    "licences_value": ("dữ liệu: {data}; trọng số: {weights}", "data: {data}; weights: {weights}"),
    "not_stated": ("không nêu", "not stated"),
    "measured": ("Chất lượng đo được", "Measured quality"),
    "measured_value": (
        "{name} {value} trên {split} ({images} ảnh, {groups} nhóm)",
        "{name} {value} on {split} ({images} pictures, {groups} groups)",
    ),
    "not_measured": ("Bản này không kèm báo cáo đánh giá", "This bundle carries no evaluation report"),
    "withheld": ("Khi nào không trả lời", "When it gives no answer"),
    "withheld_value": (
        "khi xác suất cao nhất dưới {limit}",
        "when the highest probability is below {limit}",
    ),
    "withheld_least": (
        "khi có nhãn mà mô hình chắc chắn dưới {limit}",
        "when it is less than {limit} sure of any label",
    ),
    "withheld_rule": (
        "{limit}; chọn để trả lời sai không quá {risk}, với độ tin cậy {sure}",
        "{limit}; chosen so that at most {risk} of answers are wrong, with {sure} confidence",
    ),
    "withheld_all": ("luôn luôn: không ngưỡng nào giữ được rủi ro", "always: no limit kept the risk"),
    "withheld_scope": ("khi ảnh khác loại đã học", "when the picture is unlike those it learned from"),
    "withheld_healthy": ("khi lá trông khỏe", "when the leaf looks healthy"),
    "withheld_never": (
        "không bao giờ: bản này trả lời mọi ảnh",
        "never: this bundle answers every picture",
    ),
    "thresholds": ("Ngưỡng", "Thresholds"),
    "threshold_value": (
        "{label} từ {limit} ({target}; đo được {achieved})",
        "{label} from {limit} ({target}; measured {achieved})",
    ),
    "box_threshold_value": ("{label} từ {limit}", "{label} from {limit}"),
    "scale": ("Cách nói xác suất", "Words for probabilities"),
    # Place and time
    "place_and_time": ("Nơi và lúc chụp", "Place and time"),
    "taken": ("Lúc chụp", "Taken"),
    "coordinates": ("Toạ độ", "Coordinates"),
    "place_note": (
        "Đọc từ tệp ảnh theo yêu cầu của người lập phiếu; xoá trước khi chia sẻ nếu cần giữ kín.",
        "Read from the picture's file because whoever made this page asked for it; take care when sharing.",
    ),
    "place_unknown": ("Tệp ảnh không ghi", "The file does not say"),
    # Batches
    "pictures": ("Ảnh", "Pictures"),
    "answered": ("Có trả lời", "Answered"),
    "abstained": ("Không chắc chắn", "Not sure"),
    "unread": ("Không đọc được", "Could not be read"),
    "by_answer": ("Số ảnh theo câu trả lời", "Pictures by answer"),
    "by_reason": ("Lý do không trả lời", "Why there was no answer"),
    "in_all": ("Tổng số đếm được", "Counted in all"),
    "with_found": ("Số ảnh có vùng tìm thấy", "Pictures with an area found"),
    "severity_batch": (
        "Phần diện tích bị bệnh: trung vị {median}, từ {low} đến {high} ({n} ảnh).",
        "Diseased share: median {median}, from {low} to {high} ({n} pictures).",
    ),
    "sample_limit": (
        "Đây là câu trả lời của mô hình, không phải tỉ lệ bệnh ngoài đồng hay trong dân.",
        "These are the model's answers, not how common a disease is in the field or among people.",
    ),
    "list": ("Từng ảnh", "Picture by picture"),
    "first_only": (
        "Ở đây chỉ có {shown} ảnh đầu trong số {total}; bảng CSV có tất cả.",
        "Only the first {shown} of {total} pictures are here; the CSV table has all.",
    ),
}


def say(key: str, language: Language, **fields: Any) -> str:
    """One text with its fields filled in; unknown keys raise ``KeyError``."""
    template = TEXTS[key][LANGUAGES.index(language)]
    return template.format(**{name: local(value, language) for name, value in fields.items()})
