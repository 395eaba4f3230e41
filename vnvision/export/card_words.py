"""Words of the card's parts that the model's own card fills, and of provenance. Both languages, same keys."""

from __future__ import annotations

from vnvision.report.phrases import Language

WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "experimental": "**THỬ NGHIỆM.**",
        "users": "Dành cho ai",
        "not_for": "Ai không được dùng",
        "out_of_scope": "Không dùng vào việc gì",
        "not_sure": 'Khi mô hình trả lời "không chắc"',
        "shortcuts": "Những điều mô hình có thể đã học nhầm",
        "field": "Từ bộ ảnh ra thực tế",
        "never_seen": "Mô hình chưa từng thấy",
        "learned_from": "Học từ dữ liệu nào",
        "data_licence": "Giấy phép: {licence}. {basis}",
        "open_question": "Điều chưa rõ:",
        "data_country": "Nơi lấy ảnh: {country}",
        "data_changes": "Đã thay đổi: {changes}",
        "looks_title": "Số lần đã xem kết quả kiểm tra",
        "looks": "{set}: {labels} lần xem kết quả trên ảnh kiểm tra; {pictures} lần chỉ dùng ảnh mà "
        "không dùng nhãn. Xem càng nhiều lần, kết quả càng dễ đẹp hơn thực tế.",
        "looks_unknown": "Không ghi lại.",
        "cost": "Thời gian, điện năng và độ lớn",
        "trained": "Huấn luyện: {seconds} giây (khoảng {minutes} phút) trên {cores} lõi ({device}).",
        "energy": "Điện năng khi huấn luyện: {kj} kJ, đọc từ bộ đếm của bộ xử lý.",
        "no_energy": "Điện năng khi huấn luyện: máy đó không cho đọc.",
        "teachers": "Học thêm từ câu trả lời của {n} mạng khác (thời gian huấn luyện của chúng: {minutes} "
        "phút). Các mạng đó đã thấy nhãn của ảnh thẩm định, nên số liệu trên ảnh thẩm định, kể cả nhiệt độ, "
        "tốt hơn thực tế; số liệu trên ảnh kiểm tra thì không.",
        "size": "Độ lớn: {parameters} triệu tham số, {macs} tỉ phép nhân-cộng mỗi ảnh.",
        "size_alone": "Độ lớn: {parameters} triệu tham số.",
        "speed": "Chạy tệp {target} ({engine}, {precision}): {ms} mili giây một ảnh (trung vị), chưa tính "
        "đọc và thu nhỏ ảnh; số luồng do bộ chạy tự chọn; máy: {machine}.",
        "machine": "{processor}, {cores} lõi",
        "sources": "Nguồn và người duyệt",
        "config_where": "ghi đủ trong manifest.json, mục provenance.config",
        "label_column": "nhãn",
        "group_column": "nhóm",
        "n_column": "n",
    },
    "en": {
        "experimental": "**EXPERIMENTAL.**",
        "users": "Who it is for",
        "not_for": "Who must not use it",
        "out_of_scope": "What it must not be used for",
        "not_sure": 'When it answers "not sure"',
        "shortcuts": "Known shortcuts: what it may have learned by mistake",
        "field": "From these pictures to the field",
        "never_seen": "What it has never seen",
        "learned_from": "What it learned from",
        "data_licence": "Licence: {licence}. {basis}",
        "open_question": "Open question:",
        "data_country": "Country of origin: {country}",
        "data_changes": "Changes made: {changes}",
        "looks_title": "Looks at the test pictures",
        "looks": "{set}: looks at results on the test pictures: {labels}; at the pictures alone, without "
        "labels: {pictures}. The more looks, the more a result flatters.",
        "looks_unknown": "Not recorded.",
        "cost": "Time, energy and size",
        "trained": "Training: {seconds} seconds (about {minutes} minutes) on {cores} cores ({device}).",
        "energy": "Energy to train: {kj} kJ, from the processor's own counters.",
        "no_energy": "Energy to train: not readable on that machine.",
        "teachers": "Learnt from the answers of {n} further networks too (their training: {minutes} "
        "minutes), which had seen validation labels: figures on validation pictures, the "
        "temperature's among them, flatter; those on test pictures do not.",
        "size": "Size: {parameters} million parameters, {macs} billion multiply-accumulates a picture.",
        "size_alone": "Size: {parameters} million parameters.",
        "speed": "Running {target} ({engine}, {precision}): {ms} ms a picture (median), reading and "
        "resizing not counted; threads as the engine chooses; machine: {machine}.",
        "machine": "{processor}, {cores} cores",
        "sources": "Sources and review",
        "config_where": "in full in manifest.json under provenance.config",
        "label_column": "label",
        "group_column": "group",
        "n_column": "n",
    },
}

PROVENANCE_NAMES: dict[str, dict[Language, str]] = {
    "backbone": {"vi": "Mạng nền", "en": "Backbone"},
    "starting_weights": {"vi": "Trọng số khởi đầu", "en": "Starting weights"},
    "weights": {"vi": "Tệp trọng số khởi đầu", "en": "File of starting weights"},
    "manifest_sha256": {"vi": "Bảng kê dữ liệu (SHA-256)", "en": "Data manifest (SHA-256)"},
    "commit": {"vi": "Phiên bản mã nguồn (commit)", "en": "Source code (commit)"},
    "config": {"vi": "Cấu hình huấn luyện", "en": "Training configuration"},
    "versions": {"vi": "Phần mềm huấn luyện", "en": "Training software"},
    "export": {"vi": "Phần mềm xuất mô hình", "en": "Export software"},
    "refused": {"vi": "Tệp bị từ chối", "en": "Refused files"},
    "calibration_images": {
        "vi": "Ảnh đo khoảng giá trị số nguyên",
        "en": "Pictures that 8-bit ranges come from",
    },
    "layers_in_float": {"vi": "Lớp giữ số thực", "en": "Layers left in float"},
}
ELSEWHERE = {
    "purpose", "card", "test_looks", "network", "domain", "hardware", "threads", "train_seconds",
    "train_energy_joules", "teachers",
}  # fmt: skip
"""Keys of provenance that the card says under headings of their own."""
