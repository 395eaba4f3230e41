"""Every text of the report, Vietnamese and English side by side.

``TEXTS`` maps a key to (vi, en); fields in braces are filled in. Keys with a dot belong to a family whose
member is chosen by the data (``metric.auroc``). ``NOTES`` maps the English of a note or warning, as it
travels in the report, to the Vietnamese.
"""

from __future__ import annotations

from vnvision.evaluate import notes as warning
from vnvision.metrics import notes as note
from vnvision.report import dense_texts

TEXTS: dict[str, tuple[str, str]] = {
    # Page frame
    "title": ("Báo cáo đánh giá", "Evaluation report"),
    "made_by": (
        "Lập bởi vnvision, ngay trên máy này. Trang không tải gì từ mạng, không ảnh nào rời máy.",
        "Made by vnvision on this machine. This page loads nothing from the network, no image leaves it.",
    ),
    "model_without_name": ("Mô hình không tên", "Unnamed model"),
    # Headline
    "headline": (
        "Trên {images} ảnh thuộc {groups} nhóm của {split}, mô hình trả lời đúng {value}.",
        "On {images} images in {groups} groups of {split}, the model answered {value} correctly.",
    ),
    "headline_interval": (
        "Với số nhóm này, tỉ lệ đúng thật có thể nằm từ {low} đến {high} (khoảng tin cậy {level}).",
        "With this many groups, the true share may lie anywhere from {low} to {high} ({level} interval).",
    ),
    "headline_errors": (
        "Cứ 100 ảnh thì khoảng {wrong} ảnh bị trả lời sai.",
        "About {wrong} in 100 are wrong.",
    ),
    "headline_undefined": (
        "Trên {images} ảnh thuộc {groups} nhóm của {split}, không tính được tỉ lệ đúng.",
        "On {images} images in {groups} groups of {split}, accuracy is not defined.",
    ),
    "images": ("Ảnh", "Images"),
    "groups": ("Nhóm độc lập", "Independent groups"),
    "labels": ("Nhãn", "Labels"),
    "kind.classification": ("Phân loại ảnh", "Image classification"),
    "kind.multilabel": ("Phân loại nhiều nhãn", "Multi-label classification"),
    "split.train": ("tập huấn luyện", "the training set"),
    "split.val": ("tập thẩm định", "the validation set"),
    "split.test": ("tập kiểm tra", "the test set"),
    # Banners
    "synthetic_title": ("Dữ liệu tổng hợp", "Synthetic data"),
    "synthetic": (
        "Có ảnh do chương trình vẽ ra. Các con số cho biết phần mềm chạy đúng, "
        "không cho biết mô hình làm việc tốt ngoài thực tế.",
        "Some pictures were drawn by a program. The figures show that the software works, "
        "not that the model works in the field.",
    ),
    "warnings": ("Cần biết trước khi tin các con số", "Know this before trusting the figures"),
    # Metrics
    "metrics": ("Kết quả", "Results"),
    "metrics_about": (
        "Khoảng tin cậy {level}, lấy mẫu lại theo nhóm: "
        "ảnh của cùng một người bệnh, một cây, một loạt chụp luôn đi cùng nhau.",
        "{level} intervals, resampled by group: images of one patient, plant or burst always stay together.",
    ),
    "positive_is": ("Câu hỏi “có hay không” ở đây là: {label}.", "The yes-or-no question here: {label}."),
    "higher": ("Trả lời đúng đến đâu", "How often it is right"),
    "higher_about": (
        "Càng cao càng tốt. Vạch đứng: đoán mò.",
        "Higher is better. Upright tick: blind guessing.",
    ),
    "lower": ("Độ tự tin có đáng tin không", "Can its confidence be trusted"),
    "lower_about": (
        "Càng thấp càng tốt. Với Brier và log-loss, đầu phải của thanh là đoán mò.",
        "Lower is better. For Brier and log-loss the bar's right end is blind guessing.",
    ),
    "withholding": ("Khi được phép không trả lời", "When it may decline to answer"),
    "withholding_about": (
        "Mô hình không trả lời khi độ tự tin dưới {limit}.",
        "The model declines when its confidence is below {limit}.",
    ),
    "col_metric": ("Chỉ số", "Metric"),
    "col_value": ("Giá trị", "Value"),
    "col_interval": ("Khoảng tin cậy", "Interval"),
    "col_n": ("Số ảnh", "Images"),
    "undefined": ("không xác định", "not defined"),
    "no_interval": ("không có khoảng", "no interval"),
    "metric.accuracy": ("Tỉ lệ đúng", "Accuracy"),
    "about.accuracy": ("Phần câu trả lời đúng", "Share of answers that are right"),
    "metric.balanced_accuracy": ("Tỉ lệ đúng cân bằng", "Balanced accuracy"),
    "about.balanced_accuracy": ("Mỗi lớp có trọng số như nhau", "Every class counts the same"),
    "metric.macro_f1": ("F1 trung bình các lớp", "Macro F1"),
    "about.macro_f1": ("Vừa không bỏ sót, vừa không báo nhầm", "Neither missing cases nor crying wolf"),
    "metric.auroc": ("AUROC", "AUROC"),
    "about.auroc": (
        "Xếp ảnh của lớp trên ảnh lớp khác, mọi ngưỡng",
        "Ranks the class above the rest, all thresholds",
    ),
    "metric.auprc": ("AUPRC", "AUPRC"),
    "about.auprc": ("Độ chuẩn xác trung bình khi tăng độ nhạy", "Precision averaged over rising recall"),
    "metric.sensitivity_at_specificity_90": ("Độ nhạy ở độ đặc hiệu 90%", "Sensitivity at 90% specificity"),
    "about.sensitivity_at_specificity_90": (
        "Phát hiện được bao nhiêu khi báo nhầm tối đa 10%",
        "Found while raising at most 10% false alarms",
    ),
    "metric.sensitivity_at_specificity_95": ("Độ nhạy ở độ đặc hiệu 95%", "Sensitivity at 95% specificity"),
    "about.sensitivity_at_specificity_95": (
        "Phát hiện được bao nhiêu khi báo nhầm tối đa 5%",
        "Found while raising at most 5% false alarms",
    ),
    "metric.ece": ("Sai lệch hiệu chuẩn (ECE)", "Calibration error (ECE)"),
    "about.ece": ("Độ tự tin lệch tỉ lệ đúng bao nhiêu", "Gap between confidence and accuracy"),
    "metric.brier": ("Điểm Brier", "Brier score"),
    "about.brier": ("Sai số bình phương của xác suất", "Squared error of the probabilities"),
    "metric.nll": ("Log-loss", "Log-loss"),
    "about.nll": ("Phạt nặng khi sai mà quá tự tin", "Punishes confident errors hard"),
    "metric.coverage": ("Tỉ lệ có trả lời", "Coverage"),
    "about.coverage": ("Phần ảnh được trả lời", "Share of images that get an answer"),
    "metric.selective_accuracy": ("Tỉ lệ đúng khi trả lời", "Accuracy when it answers"),
    "about.selective_accuracy": ("Trong số ảnh được trả lời", "Among the images answered"),
    "metric.precision": ("Độ chuẩn xác", "Precision"),
    "metric.recall": ("Độ nhạy", "Recall"),
    "metric.f1": ("F1", "F1"),
    # Parts of the data
    "parts": ("Đúng ở đâu, cho ai", "Where it works, and for whom"),
    "parts_about": (
        "Cùng các chỉ số, tính riêng từng phần dữ liệu. Khoảng rộng nghĩa là còn ít ảnh.",
        "The same figures for each part of the data. A wide interval means few images.",
    ),
    "part_unknown": ("không ghi", "not stated"),
    "column.region": ("Vùng", "Region"),
    "column.source": ("Nguồn", "Source"),
    "column.split": ("Tập", "Split"),
    "column.label": ("Nhãn", "Label"),
    "column.licence": ("Giấy phép", "Licence"),
    "column.consent": ("Sự đồng ý", "Consent"),
    # Confusion
    "confusion": ("Nhầm lẫn giữa các lớp", "Which classes are mixed up"),
    "confusion_about": (
        "Hàng là sự thật, cột là câu trả lời; phần trăm tính theo hàng.",
        "Rows are the truth, columns the answer; percentages are of the row.",
    ),
    "truth": ("Sự thật", "Truth"),
    "answer": ("Trả lời", "Answer"),
    # Charts
    "charts": ("Độ tin cậy và ngưỡng", "Trust and thresholds"),
    "reliability": ("Độ tự tin so với thực tế", "Confidence against reality"),
    "reliability_about": (
        "Chấm trên đường chéo: tự tin đúng mức. Dưới đường chéo: quá tự tin. Chấm to: nhiều ảnh.",
        "On the diagonal: as sure as it should be. Below: too sure. Larger dots hold more images.",
    ),
    "axis_confidence": ("Độ tự tin", "Confidence"),
    "axis_accuracy": ("Tỉ lệ đúng", "Accuracy"),
    "axis_observed": ("Tỉ lệ có thật", "Observed share"),
    "roc": ("Đường ROC", "ROC curves"),
    "roc_about": (
        "Được bao nhiêu phát hiện với bao nhiêu báo nhầm. Càng sát góc trên trái càng tốt.",
        "How many cases are found for how many false alarms. Nearer the top left is better.",
    ),
    "roc_others": ("các lớp còn lại", "the other classes"),
    "axis_fpr": ("Báo nhầm (1 − độ đặc hiệu)", "False alarms (1 − specificity)"),
    "axis_tpr": ("Độ nhạy", "Sensitivity"),
    "selective": ("Nếu chỉ trả lời khi chắc", "If it answers only when sure"),
    "selective_about": (
        "Bỏ dần các ảnh kém chắc chắn nhất (từ phải sang trái), tỉ lệ đúng của phần còn lại.",
        "Leaving out the least certain images (right to left): accuracy of those that remain.",
    ),
    "axis_coverage": ("Phần ảnh được trả lời", "Share of images answered"),
    # Per class
    "per_class": ("Từng lớp", "Class by class"),
    "col_class": ("Lớp", "Class"),
    # Thresholds
    "thresholds": ("Ngưỡng làm việc", "Operating points"),
    "thresholds_about": (
        "Trả lời “có” khi xác suất đã hiệu chuẩn đạt ngưỡng. Ngưỡng được chọn trên chính dữ liệu này.",
        "Answer “yes” when the calibrated probability reaches the threshold. Chosen on this very data.",
    ),
    "col_threshold": ("Ngưỡng", "Threshold"),
    "col_target": ("Mục tiêu", "Target"),
    "col_specificity": ("Độ đặc hiệu đạt được", "Specificity reached"),
    "target_specificity": ("độ đặc hiệu {value}", "specificity {value}"),
    # Mistakes
    "mistakes": ("Những lần sai mà tự tin nhất", "Its most confident mistakes"),
    "mistakes_about": (
        "Nên xem từng ảnh: nhãn có đúng không, ảnh có rõ không, hay mô hình thật sự không biết?",
        "Worth a look one by one: is the label right, is the picture clear, or does the model not know?",
    ),
    "private": (
        "Trang này kèm ảnh thu nhỏ lấy từ dữ liệu: hãy cân nhắc trước khi chuyển cho người khác.",
        "This page carries small copies of pictures from the data: think before passing it on.",
    ),
    "no_mistakes": (
        "Không có câu trả lời sai nào trên dữ liệu này.",
        "There was no wrong answer on this data.",
    ),
    "no_picture": ("không kèm ảnh", "picture not included"),
    "confident": ("tự tin {value}", "{value} sure"),
    "present": ("có {label}", "{label} present"),
    "not_present": ("không có {label}", "no {label}"),
    # Data and model
    "data": ("Dữ liệu", "The data"),
    "data_empty": ("Báo cáo không kèm mô tả dữ liệu.", "The report carries no description of the data."),
    "model": ("Mô hình và xuất xứ", "Model and provenance"),
    "temperatures": ("Nhiệt độ hiệu chuẩn", "Calibration temperature"),
    "fitted_on": ("Hiệu chuẩn trên", "Calibrated on"),
    "fitted_on_n": ("{split}, {n} ảnh", "{split}, {n} images"),
    "not_calibrated": ("chưa hiệu chuẩn", "not calibrated"),
    "input": ("Ảnh đầu vào", "Input"),
    "input_value": ("{height} × {width} điểm ảnh, {colour}", "{height} × {width} pixels, {colour}"),
    "preprocess": ("Mã tiền xử lý", "Preprocessing fingerprint"),
    "manifest": ("SHA-256 của bảng kê dữ liệu", "SHA-256 of the data manifest"),
    "fact.name": ("Tên", "Name"),
    "fact.rows": ("Số ảnh", "Images"),
    "fact.groups": ("Số nhóm", "Groups"),
    "fact.rows_without_group": ("Ảnh không ghi nhóm", "Images without a group"),
    "fact.rows_without_split": ("Ảnh không ghi tập", "Images without a split"),
    "fact.rows_without_label": ("Ảnh chưa có nhãn", "Images without a label"),
    "fact.labels": ("Theo nhãn", "By label"),
    "fact.splits": ("Theo tập", "By split"),
    "fact.regions": ("Theo vùng", "By region"),
    "fact.sources": ("Nguồn", "Sources"),
    "fact.licences": ("Giấy phép", "Licences"),
    "fact.consents": ("Sự đồng ý", "Consent"),
    "fact.missing": ("Ảnh thiếu thông tin", "Images without this information"),
    "fact.unreadable": ("Ảnh không đọc được", "Unreadable images"),
    "fact.formats": ("Định dạng tệp", "File formats"),
    "fact.commonest_sizes": ("Kích thước thường gặp", "Commonest sizes"),
    "fact.width_px": ("Chiều rộng", "Width"),
    "fact.height_px": ("Chiều cao", "Height"),
    "fact.backbone": ("Mạng xương sống", "Backbone"),
    "fact.weights": ("Trọng số ban đầu", "Initial weights"),
    "fact.parameters": ("Số tham số", "Parameters"),
    "fact.domain": ("Lĩnh vực", "Domain"),
    "fact.commit": ("Phiên bản mã nguồn", "Code version"),
    "fact.run": ("Lần huấn luyện", "Training run"),
    "fact.train_seconds": ("Thời gian huấn luyện (giây)", "Training time (seconds)"),
    "fact.sha256": ("SHA-256", "SHA-256"),
    "fact.licence": ("Giấy phép", "Licence"),
    "fact.consent": ("Sự đồng ý", "Consent"),
    "yes": ("có", "yes"),
    "no": ("không", "no"),
    "none": ("không ghi", "not stated"),
    **dense_texts.TEXTS,
}

NOTES: dict[str, str] = {
    note.ONE_GROUP: "chỉ đo trên một nhóm: không có khoảng tin cậy",
    note.NO_RESAMPLES: "không lấy mẫu lại: không có khoảng tin cậy",
    note.NO_IMAGES: "không có ảnh: không xác định",
    note.EXACT: "các lần lấy mẫu lại đều như nhau: khoảng Clopper-Pearson chính xác trên {groups} nhóm",
    note.NO_VARIATION: "các lần lấy mẫu lại đều như nhau: không có khoảng tin cậy",
    note.SOME_UNDEFINED: "{undefined} trên {resamples} lần lấy mẫu lại không xác định, do thiếu một lớp",
    note.MOSTLY_UNDEFINED: (
        "{undefined} trên {resamples} lần lấy mẫu lại không xác định, do thiếu một lớp: không có khoảng"
    ),
    note.CLASS_ABSENT: "không có ảnh nào của lớp này: không xác định",
    note.ONLY_CLASS: "mọi ảnh đều thuộc lớp này: không xác định",
    note.NEVER_ANSWERED: "mô hình chưa lần nào trả lời lớp này: không xác định",
    note.FEW_CLASSES: "có ít hơn hai lớp: không xác định",
    note.LEFT_OUT: "trung bình trên các lớp có mặt, không xác định cho {labels}",
    note.EMPTY_MACRO: "không xác định cho lớp nào",
    note.NOTHING_KEPT: "mọi câu trả lời đều bị giữ lại: không xác định",
    note.NO_COMPARISONS: "không có phép so sánh nào: không xác định",
    note.EFFECTIVE: (
        "không có biến thiên: khoảng Clopper-Pearson chính xác trên {number} phép so sánh hữu hiệu"
    ),
    note.NO_REFERENCE_ERRORS: "nhóm tham chiếu không có lỗi nào: không tính được tỉ số",
    note.FEW_SUBJECTS: "{group}: {subjects} người, ít hơn {limit}",
    note.FEW_COMPARISONS: (
        "{group}: {n} phép so sánh giữa hai người khác nhau, ít hơn {needed} phép mà FMR {target} cần có"
    ),
    note.NO_FALSE_MATCH: (
        "{group}: không có lần nhận nhầm nào, chỉ cho thấy FMR dưới {high} chứ không phải bằng 0"
    ),
    note.NO_FALSE_NON_MATCH: (
        "{group}: không có lần bỏ sót nào, chỉ cho thấy FNMR dưới {high} chứ không phải bằng 0"
    ),
    note.NOBODY_ENROLLED: (
        "{group}: không có phép so sánh nào, tỉ lệ không lấy được mẫu khuôn mặt {rate} trên {n} lần thử"
    ),
    note.TOGETHER: "khoảng tin cậy đúng đồng thời cho cả {number} tỉ lệ tạo nên nó",
    note.NOT_ALL: "không xác định được cho {species}, đã bỏ qua",
    note.NO_KNOWN_GROUP: "đã bỏ qua {images} ảnh chưa biết thuộc nhóm nào",
    warning.SMALL: (
        "tập kiểm tra nhỏ: {images} ảnh trong {groups} nhóm; khoảng tin cậy rộng, và có thể vẫn còn quá hẹp"
    ),
    warning.NO_GROUPS: (
        "không có group_id: mỗi ảnh được coi là một nhóm; nếu có ảnh đi cùng nhau thì khoảng tin cậy quá hẹp"
    ),
    warning.SOME_WITHOUT_GROUP: "{count} trên {images} ảnh không có group_id, mỗi ảnh được coi là một nhóm",
    warning.UNKNOWN_LEFT_OUT: "đã bỏ qua {count} dòng chưa biết nhãn",
    warning.UNKNOWN_ENTRIES: "đã bỏ qua {count} trên {entries} ô nhãn chưa biết",
    warning.CLASS_MISSING: "không có ảnh nào của: {labels}; không thể nói gì về các lớp này",
    warning.CLASS_RARE: "ít hơn {limit} ảnh của: {labels}; con số của các lớp này chỉ là ước lượng thô",
    warning.SAME_DATA: (
        "nhiệt độ hoặc giới hạn tự tin được chỉnh trên chính dữ liệu này: số liệu hiệu chuẩn đẹp hơn thực tế"
    ),
    warning.MANY_VALUES: "cột {column} có {count} giá trị; chỉ hiện {shown} giá trị nhiều ảnh nhất",
    warning.MANIFEST: "bảng kê dữ liệu: {text}",
    warning.SENSITIVITY_THERE: "độ nhạy ở ngưỡng này {value} ({low} đến {high}, n={n})",
    warning.SENSITIVITY_ONLY: "độ nhạy ở ngưỡng này {value} (n={n})",
    warning.SHORTCUT: (
        "chỉ riêng {name} đã đoán được nhãn của {guessed} số ảnh (nhãn phổ biến nhất: {blind}): "
        "mô hình có thể học điều đó thay vì nội dung ảnh"
    ),
    warning.UNEVEN: "các lớp chênh lệch nhiều: {most}, {least}",
    # What layers above and below say in passing
    "measured on validation data, on which the model was also chosen: expect less on new data": (
        "đo trên dữ liệu thẩm định, cũng là dữ liệu dùng để chọn mô hình: dữ liệu mới sẽ cho kết quả thấp hơn"
    ),
    "no column {column}": "không có cột {column}",
    "{count} of {total} rows have no {column} ({lines})": "{count}/{total} dòng không có {column} ({lines})",
    **dense_texts.NOTES,
}
