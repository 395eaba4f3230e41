"""Words of the model card, in Vietnamese and English. Both languages have the same keys.

Metrics have their names from ``report.texts``.
"""

from __future__ import annotations

from vnvision.export import faults
from vnvision.export.card_words import WORDS
from vnvision.report.phrases import Language

TEXT: dict[Language, dict[str, str]] = {
    "vi": {
        "language": "Tiếng Việt",
        "synthetic": "**DỮ LIỆU TỔNG HỢP.** Mô hình này học từ ảnh vẽ bằng máy, không phải ảnh thật. "
        "Các con số dưới đây chỉ cho thấy chương trình chạy đúng, không cho thấy mô "
        "hình dùng được ngoài thực tế.",
        "clinic": "**Chỉ dùng cho nghiên cứu, không phải thiết bị y tế.** Không dùng để chẩn đoán "
        "hoặc quyết định điều trị.",
        "purpose": "Mục đích",
        "no_purpose": "Chưa ghi. Người xuất mô hình cần nêu rõ mô hình dùng để làm gì và cho ai.",
        "task": "Bài toán và nhãn",
        "classification": "Phân loại ảnh: mỗi ảnh một nhãn.",
        "multilabel": "Phân loại đa nhãn: mỗi ảnh có thể có nhiều nhãn.",
        "embedding": "Véc-tơ đặc trưng {dim} chiều, so sánh bằng độ giống cosin.",
        "segmentation": "Phân vùng ảnh: mỗi điểm ảnh một nhãn.",
        "detection": "Phát hiện đối tượng: khung và nhãn.",
        "labels": "số thứ tự | mã | tiếng Việt | tiếng Anh",
        "data": "Dữ liệu dùng để đo",
        "no_data": "Gói này không kèm báo cáo đánh giá, nên không có mô tả dữ liệu.",
        "results": "Kết quả",
        "measured": "Đo trên {split}: {n} ảnh, {groups} nhóm. Khoảng tin cậy ghi trong ngoặc vuông.",
        "not_measured": "Gói này không kèm báo cáo đánh giá: chưa biết mô hình tốt đến đâu.",
        "metrics": "chỉ số | giá trị | khoảng tin cậy | n",
        "per_class": "Theo nhãn",
        "groups": "Theo {column}",
        "point": "Ngưỡng {where}: {threshold}; đạt {achieved} {interval}, n={n}, đo trên {population}.",
        "undefined": "không xác định",
        "calibration": "Hiệu chỉnh xác suất và từ chối trả lời",
        "temperature": "Nhiệt độ {value}, ước lượng trên {fitted} ({n} ảnh).",
        "uncalibrated": "Chưa hiệu chỉnh: điểm số không nên đọc như xác suất.",
        "abstains": 'Mô hình trả lời "không chắc" khi xác suất cao nhất dưới {value}.',
        "answers_in_scope": "Không đặt ngưỡng từ chối: ảnh nào qua được bộ lọc đều có câu trả lời.",
        "no_limit": "Không đặt ngưỡng từ chối theo xác suất.",
        "looks_healthy": "Lá trông khỏe thì không trả lời: khi phần diện tích có màu khác màu xanh của "
        "chính lá dưới {percent} % (ngưỡng chọn trên: {fitted}).",
        "never_abstains": "Không đặt ngưỡng từ chối: mô hình luôn đưa ra câu trả lời, kể cả với ảnh lạ.",
        "guarantee": "Cam kết khi chọn ngưỡng: trên dữ liệu cùng loại, câu trả lời đưa ra sai không quá "
        "{risk} (xác suất cam kết không đúng: {delta}); cận trên đo được {bound}, trả lời {coverage} số ảnh "
        "(n={n}).",
        "nothing_answered": "Không ngưỡng nào giữ được rủi ro {risk}: mô hình không trả lời ảnh nào.",
        "scores": "Điểm của từng điểm ảnh hoặc từng khung không được hiệu chỉnh.",
        "scope": "Có kèm bộ lọc ảnh ngoài phạm vi ({file}).",
        "preprocess": "Tiền xử lý",
        "voi": "Cửa sổ xám: tâm {centre}, độ rộng {width}.",
        "colour": "Ảnh vào là RGB hoặc xám, kiểu {dtype}; mô hình nhận thứ tự màu {colour}.",
        "squash": "Co giãn về {width}×{height} điểm ảnh, không giữ tỉ lệ.",
        "crop": "Co cạnh ngắn rồi cắt giữa còn {width}×{height} điểm ảnh (giữ {pct} cạnh).",
        "strips": "Ảnh dài (tỉ lệ cạnh từ 2,25) được cắt thành các dải bằng nhau và xếp chồng, rồi co giãn "
        "về {width}×{height} điểm ảnh, không giữ tỉ lệ.",
        "letterbox": "Thu vừa khung {width}×{height} điểm ảnh, giữ tỉ lệ, đệm giá trị {pad}.",
        "align": "Căn theo năm mốc khuôn mặt về {width}×{height} điểm ảnh.",
        "none": "Ảnh phải có sẵn kích thước {width}×{height} điểm ảnh.",
        "interpolation": "Nội suy: {name}.",
        "normalise": "Đưa khoảng {low}..{high} về 0..1, trừ trung bình ({mean}), chia độ lệch chuẩn ({std}).",
        "outside": "Chuẩn hoá nằm ngoài tệp mô hình; `vnvision` tự làm bước này.",
        "inside": "Tệp {target} đã tự làm các bước: {steps}.",
        "flip": "Lấy trung bình với ảnh lật ngang.",
        "targets": "Tệp cho từng thiết bị",
        "target_columns": "đích | tệp | bộ chạy | độ chính xác số | MB | sai khác tương đối | cosin trung "
        "bình | cùng kết quả",
        "parity": "Mỗi tệp được so với mô hình gốc trên {n} ảnh mẫu, từ điểm ảnh gốc qua đúng "
        "đường xử lý của thiết bị. Sai khác tương đối lấy theo độ trải của đầu ra; tệp "
        "vượt dung sai ({limits}) bị từ chối.",
        "blind": "Các ảnh mẫu không phát hiện được lỗi: {faults}.",
        "licences": "Giấy phép",
        "code": "Mã nguồn: {text}",
        "weights": "Trọng số: {text}",
        "training_data": "Dữ liệu huấn luyện: {text}",
        "unknown": "chưa ghi",
        "provenance": "Nguồn gốc",
        "limits": "Giới hạn",
        "limit_elsewhere": "Kết quả chỉ đúng cho dữ liệu giống dữ liệu đã đo; máy ảnh, vùng miền hoặc mùa "
        "khác có thể cho kết quả kém hơn.",
        "limit_regions": "Chưa đo riêng theo vùng miền.",
        "limit_abstain": "Chưa kiểm tra với ảnh ngoài phạm vi (ảnh không thuộc nhãn nào).",
        "limit_calibration": "Xác suất chưa được hiệu chỉnh.",
        "limit_devices": "Tính đúng đắn đã kiểm trên máy xuất mô hình; chưa đo tốc độ trên thiết bị đích.",
        "limit_precision": "Chưa kiểm các dạng số nguyên (INT8).",
        "judged": "{target}: {metric} {change} so với mô hình gốc, trên {n} ảnh thẩm định; ngưỡng và hiệu "
        "chỉnh của tệp này được tính lại riêng.",
        "not_run": "{target} chưa được chạy ở đây: nó chỉ chạy trên thiết bị của hãng.",
        "use": "Cách dùng",
    },
    "en": {
        "language": "English",
        "synthetic": "**SYNTHETIC DATA.** This model learnt from drawn pictures, not from "
        "photographs. The figures below show that the program works, not that the model "
        "is of use in the field.",
        "clinic": "**Research use only, not a medical device.** Not for diagnosis or decisions on treatment.",
        "purpose": "Purpose",
        "no_purpose": "Not stated. Whoever exports the model should say what it is for, and for whom.",
        "task": "Task and labels",
        "classification": "Classification: one label an image.",
        "multilabel": "Multi-label classification: any number of labels an image.",
        "embedding": "Embedding of {dim} numbers, compared by cosine.",
        "segmentation": "Segmentation: one label a pixel.",
        "detection": "Detection: boxes with labels.",
        "labels": "index | id | Vietnamese | English",
        "data": "Data it was measured on",
        "no_data": "This bundle carries no evaluation report, hence no description of the data.",
        "results": "Results",
        "measured": "Measured on {split}: {n} images in {groups} groups. Intervals in square brackets.",
        "not_measured": "This bundle carries no evaluation report: how good the model is, is not known.",
        "metrics": "metric | value | interval | n",
        "per_class": "By label",
        "groups": "By {column}",
        "point": "Threshold {where}: {threshold}; achieved {achieved} {interval}, n={n}, on {population}.",
        "undefined": "not defined",
        "calibration": "Calibration and abstention",
        "temperature": "Temperature {value}, fitted on {fitted} ({n} images).",
        "uncalibrated": "Not calibrated: scores should not be read as probabilities.",
        "abstains": 'The model answers "not sure" where its highest probability is below {value}.',
        "answers_in_scope": "No abstention limit: what the gate lets through is always answered.",
        "no_limit": "No abstention limit by probability.",
        "looks_healthy": "A leaf that looks healthy gets no answer: where less than {percent} % of its area "
        "has another colour than its own green (limit chosen on: {fitted}).",
        "never_abstains": "No abstention limit: the model always answers, strange pictures included.",
        "guarantee": "Promise the limit was chosen for: on data of the same kind at most {risk} of the "
        "answers given are wrong (probability that the promise fails: {delta}); bound reached {bound}, "
        "{coverage} of pictures answered (n={n}).",
        "nothing_answered": "No limit keeps the risk of {risk}: the model answers no picture at all.",
        "scores": "Scores of pixels and boxes are not calibrated.",
        "scope": "A gate for pictures out of scope is included ({file}).",
        "preprocess": "Preprocessing",
        "voi": "Grey window: centre {centre}, width {width}.",
        "colour": "Images come in as RGB or grey, {dtype}; the model takes {colour} order.",
        "squash": "Resized to {width}×{height} pixels, aspect ratio not kept.",
        "crop": "Shorter side resized, then cropped at the centre to {width}×{height} pixels "
        "({pct} of the side).",
        "strips": "Long pictures (aspect from 2.25) are cut into equal strips and stacked, then resized to "
        "{width}×{height} pixels, aspect ratio not kept.",
        "letterbox": "Fitted into {width}×{height} pixels, aspect ratio kept, padded with {pad}.",
        "align": "Aligned by five facial landmarks to {width}×{height} pixels.",
        "none": "Images must already have {width}×{height} pixels.",
        "interpolation": "Interpolation: {name}.",
        "normalise": "Range {low}..{high} to 0..1, minus mean ({mean}), over standard deviation ({std}).",
        "outside": "Normalisation is outside the model files; `vnvision` does it.",
        "inside": "File {target} does these steps itself: {steps}.",
        "flip": "Averaged with the mirrored image.",
        "targets": "Files",
        "target_columns": "target | file | engine | precision | MB | relative difference | mean cosine | "
        "same answer",
        "parity": "Each file was compared with the original model on {n} golden images, from "
        "their pixels through the path a device takes. Differences are relative to the "
        "spread of outputs; a file outside tolerance ({limits}) is refused.",
        "blind": "The golden images could not reveal: {faults}.",
        "licences": "Licences",
        "code": "Code: {text}",
        "weights": "Weights: {text}",
        "training_data": "Training data: {text}",
        "unknown": "not stated",
        "provenance": "Provenance",
        "limits": "Limits",
        "limit_elsewhere": "The results hold for data like those measured; another camera, region or "
        "season may do worse.",
        "limit_regions": "Not measured by region.",
        "limit_abstain": "Not tested on pictures out of scope (of none of the labels).",
        "limit_calibration": "Probabilities are not calibrated.",
        "limit_devices": "Equality was tested on the exporting machine; speed on the target device was "
        "not measured.",
        "limit_precision": "Integer (INT8) forms were not tested.",
        "judged": "{target}: {metric} {change} against the original, on {n} validation pictures; its "
        "calibration and thresholds are its own.",
        "not_run": "{target} was not run here: it runs on its maker's devices only.",
        "use": "How to use",
    },
}

DATA_NAMES: dict[str, dict[Language, str]] = {
    "manifest": {"vi": "Bảng kê", "en": "Manifest"},
    "labels": {"vi": "Nhãn", "en": "Labels"},
    "splits": {"vi": "Số ảnh từng phần", "en": "Images by split"},
    "regions": {"vi": "Vùng miền", "en": "Regions"},
    "sources": {"vi": "Nguồn", "en": "Sources"},
    "licences": {"vi": "Giấy phép", "en": "Licences"},
    "consents": {"vi": "Sự đồng ý", "en": "Consent"},
    "missing": {"vi": "Thiếu thông tin", "en": "Not stated for"},
    "objects": {"vi": "Số đối tượng", "en": "Objects"},
    "holding": {"vi": "Ảnh có", "en": "Pictures that hold"},
    "images": {"vi": "Định dạng và cỡ ảnh", "en": "Formats and sizes"},
}

for _language, _words in WORDS.items():
    TEXT[_language] |= _words

FAULT_NAMES: dict[str, str] = {
    faults.SWAPPED: "đảo thứ tự kênh màu (RGB và BGR)",
    faults.TWICE: "chuẩn hoá hai lần",
    faults.RANGE: "khoảng 0-255 thay vì 0-1",
}
"""Vietnamese of the faults that golden images may be blind to."""
