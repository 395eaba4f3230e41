"""Texts of the report on masks, boxes and counts: see ``texts``, which takes them in."""

from __future__ import annotations

from vnvision.metrics import dense_notes as note

TEXTS: dict[str, tuple[str, str]] = {
    "kind.segmentation": ("Khoanh vùng trên ảnh", "Image segmentation"),
    "kind.detection": ("Phát hiện và đếm vật thể", "Detection and counting"),
    # Headline
    "headline_masks": (
        "Trên {images} ảnh thuộc {groups} nhóm của {split}, vùng mô hình khoanh khớp với sự thật ở mức "
        "Dice {value} (1 là trùng khít, 0 là không chạm nhau).",
        "On {images} images in {groups} groups of {split}, what the model marks overlaps the truth with a "
        "Dice of {value} (1 is a perfect match, 0 no contact).",
    ),
    "headline_boxes": (
        "Trên {images} ảnh thuộc {groups} nhóm của {split}, các khung của mô hình đạt mAP {value} "
        "(tính là tìm thấy khi khung chồng lên vật từ một nửa).",
        "On {images} images in {groups} groups of {split}, the model's boxes reach an mAP of {value} "
        "(a box counts when it overlaps an object by half).",
    ),
    "headline_dense_undefined": (
        "Trên {images} ảnh thuộc {groups} nhóm của {split}, không tính được con số chính.",
        "On {images} images in {groups} groups of {split}, the main figure is not defined.",
    ),
    "headline_dense_interval": (
        "Với số nhóm này, giá trị thật có thể nằm từ {low} đến {high} (khoảng tin cậy {level}).",
        "With this many groups, the true value may lie anywhere from {low} to {high} ({level} interval).",
    ),
    "headline_severity": (
        "Tỉ lệ diện tích bệnh sai trung bình {value} điểm phần trăm.",
        "The diseased share is off by {value} percentage points on average.",
    ),
    "headline_missed": (
        "Có {value} số ảnh cần khoanh mà mô hình không khoanh gì.",
        "On {value} of the images with something to mark it marked nothing.",
    ),
    "headline_found": (
        "Ở ngưỡng đang dùng, trung bình trên các nhãn, mô hình tìm thấy {recall} số vật, "
        "và {precision} số khung là đúng.",
        "At the thresholds in use, averaged over labels, it finds {recall} of the objects, "
        "and {precision} of its boxes are right.",
    ),
    "headline_counts": (
        "Số đếm lệch trung bình {value} vật cho mỗi ảnh và mỗi nhãn.",
        "Counts are off by {value} objects a picture and label on average.",
    ),
    # Tables
    "overlap": ("Vùng khoanh khớp đến đâu", "How well the marked areas match"),
    "overlap_about": (
        "Càng cao càng tốt. Nhãn nền không được tính.",
        "Higher is better. The background is not judged.",
    ),
    "severity": ("Tỉ lệ diện tích bệnh", "Diseased share"),
    "severity_about": (
        "Phần bệnh trên toàn lá hoặc cơ quan; sai số tính bằng điểm phần trăm, càng gần 0 càng tốt.",
        "Diseased area of the whole leaf or organ; errors in percentage points, nearer 0 is better.",
    ),
    "distance": ("Lệch bao xa, sót và báo nhầm", "How far off, misses and false alarms"),
    "distance_about": ("Càng thấp càng tốt.", "Lower is better."),
    "finding": ("Tìm thấy đến đâu", "How well it finds objects"),
    "finding_about": ("Càng cao càng tốt.", "Higher is better."),
    "counting": ("Đếm lệch bao nhiêu", "How far the counts are off"),
    "counting_about": (
        "Cho mỗi ảnh và mỗi nhãn, ở ngưỡng đang dùng; càng gần 0 càng tốt, trừ tỉ lệ đếm đúng.",
        "Each picture and label, at the thresholds in use; nearer 0 is better, but for the exact share.",
    ),
    "metric.dice": ("Dice", "Dice"),
    "about.dice": (
        "Phần chung của hai vùng; trung bình trên ảnh",
        "Shared part of both areas, mean over images",
    ),
    "metric.iou": ("IoU", "IoU"),
    "about.iou": (
        "Phần giao chia phần hợp; trung bình trên ảnh",
        "Intersection over union, mean over images",
    ),
    "metric.dice_pooled": ("Dice gộp", "Pooled Dice"),
    "about.dice_pooled": (
        "Gộp điểm ảnh của mọi ảnh, kể cả ảnh không có gì",
        "All pixels together, images with nothing included",
    ),
    "metric.iou_pooled": ("IoU gộp", "Pooled IoU"),
    "about.iou_pooled": (
        "Gộp điểm ảnh của mọi ảnh, kể cả ảnh không có gì",
        "All pixels together, images with nothing included",
    ),
    "metric.hd95_px": ("HD95 (điểm ảnh)", "HD95 (pixels)"),
    "about.hd95_px": (
        "95% đường viền cách viền thật không quá chừng này",
        "95% of the outline lies no farther from the true one",
    ),
    "metric.hd95_mm": ("HD95 (mm)", "HD95 (mm)"),
    "about.hd95_mm": (
        "95% đường viền cách viền thật không quá chừng này",
        "95% of the outline lies no farther from the true one",
    ),
    "metric.missed": ("Bỏ sót cả ảnh", "Missed altogether"),
    "about.missed": ("Ảnh có nhãn mà không khoanh gì", "Images with the label on which nothing was marked"),
    "metric.false_alarm": ("Báo nhầm", "False alarms"),
    "about.false_alarm": ("Ảnh không có nhãn mà vẫn khoanh", "Images without the label that were marked"),
    "metric.false_area": ("Diện tích báo nhầm", "Falsely marked area"),
    "about.false_area": (
        "Phần ảnh bị khoanh, trên ảnh không có nhãn",
        "Share of the picture marked, on images without the label",
    ),
    "metric.severity_mae": ("Sai số tuyệt đối trung bình", "Mean absolute error"),
    "about.severity_mae": ("Điểm phần trăm", "Percentage points"),
    "metric.severity_bias": ("Độ lệch", "Bias"),
    "about.severity_bias": (
        "Điểm phần trăm; trên 0 là đoán cao hơn thật",
        "Percentage points; above 0 it answers too much",
    ),
    "metric.severity_loa_low": ("Giới hạn tương đồng dưới", "Lower limit of agreement"),
    "about.severity_loa_low": (
        "95% sai số nằm giữa hai giới hạn",
        "95 in 100 errors lie between both limits",
    ),
    "metric.severity_loa_high": ("Giới hạn tương đồng trên", "Upper limit of agreement"),
    "about.severity_loa_high": (
        "95% sai số nằm giữa hai giới hạn",
        "95 in 100 errors lie between both limits",
    ),
    "metric.severity_undefined": ("Không trả lời được", "No answer"),
    "about.severity_undefined": (
        "Ảnh mà mô hình không thấy lá hay cơ quan",
        "Images on which it found no leaf or organ",
    ),
    "metric.map50": ("mAP50", "mAP50"),
    "about.map50": (
        "Khung chồng lên vật từ một nửa; mọi ngưỡng",
        "Boxes that overlap by half, all thresholds",
    ),
    "metric.map": ("mAP50–95", "mAP50–95"),
    "about.map": ("Trung bình từ chồng một nửa đến gần khít", "Mean from half overlap to almost exact"),
    "about.recall": (
        "Phần vật thể được tìm thấy, ở ngưỡng đang dùng",
        "Share of objects found, at the thresholds in use",
    ),
    "about.precision": (
        "Phần khung là đúng, ở ngưỡng đang dùng",
        "Share of boxes that are right, at the thresholds in use",
    ),
    "about.f1": ("Cân bằng giữa tìm thấy và đúng", "Balance of finding and being right"),
    "metric.ap50": ("AP50", "AP50"),
    "metric.ap": ("AP50–95", "AP50–95"),
    "metric.count_mae": ("Đếm lệch trung bình", "Mean absolute error"),
    "about.count_mae": ("Số vật cho mỗi ảnh", "Objects a picture"),
    "metric.count_rmse": ("Căn sai số bình phương", "Root mean square error"),
    "about.count_rmse": ("Phạt nặng những ảnh lệch nhiều", "Punishes pictures that are far off"),
    "metric.count_bias": ("Độ lệch khi đếm", "Counting bias"),
    "about.count_bias": ("Trên 0 là đếm thừa, dưới 0 là đếm thiếu", "Above 0 too many, below 0 too few"),
    "metric.count_exact": ("Đếm đúng", "Exact counts"),
    "about.count_exact": ("Phần ảnh có số đếm đúng hẳn", "Share of pictures counted exactly"),
    "per_label": ("Từng nhãn", "Label by label"),
    "per_label_boxes": ("Tìm thấy", "Finding"),
    "per_label_counts": ("Đếm", "Counting"),
    "col_objects": ("Số vật", "Objects"),
    # Charts
    "dense_charts": ("Từng ảnh một", "Picture by picture"),
    "severity_scatter": ("Tỉ lệ bệnh: thật và trả lời", "Diseased share: truth and answer"),
    "severity_scatter_about": (
        "Mỗi chấm là một ảnh. Trên đường chéo: đúng hẳn.",
        "Each dot is a picture. On the diagonal: exactly right.",
    ),
    "axis_true_share": ("Tỉ lệ thật (%)", "True share (%)"),
    "axis_said_share": ("Mô hình trả lời (%)", "Model's answer (%)"),
    "bland_altman": ("Lệch bao nhiêu ở mức bệnh nào", "Error by degree of disease"),
    "bland_altman_about": (
        "Biểu đồ Bland-Altman. Đường liền: độ lệch trung bình; đường đứt: giới hạn tương đồng 95%.",
        "Bland-Altman plot. Solid line: mean difference; dashed: 95% limits of agreement.",
    ),
    "axis_mean_share": ("Trung bình thật và trả lời (%)", "Mean of truth and answer (%)"),
    "axis_difference": ("Trả lời − thật (điểm)", "Answer − truth (points)"),
    "dice_by_size": ("Dice theo kích thước: {label}", "Dice by size: {label}"),
    "dice_by_size_about": (
        "Mỗi chấm là một ảnh: vùng thật chiếm bao nhiêu phần ảnh, và Dice ở đó.",
        "Each dot is a picture: how much of it the true area takes up, and the Dice there.",
    ),
    "axis_area": ("Vùng thật (% của ảnh)", "True area (% of the picture)"),
    "axis_dice": ("Dice", "Dice"),
    "pr": ("Độ chuẩn xác và độ nhạy", "Precision and recall"),
    "pr_about": (
        "Khi hạ dần ngưỡng, từ trái sang phải. Càng sát góc trên phải càng tốt. Số: AP50.",
        "As the threshold falls, left to right. Nearer the top right is better. Numbers: AP50.",
    ),
    "axis_recall": ("Độ nhạy (%)", "Recall (%)"),
    "axis_precision": ("Độ chuẩn xác (%)", "Precision (%)"),
    "count_scatter": ("Số đếm: {label}", "Counts: {label}"),
    "count_scatter_about": (
        "Mỗi chấm là những ảnh có cùng cặp số; chấm to là nhiều ảnh. Trên đường chéo: đếm đúng.",
        "Each dot is the pictures with that pair of numbers; larger dots hold more. On the diagonal: exact.",
    ),
    "axis_true_count": ("Số thật", "True count"),
    "axis_said_count": ("Số mô hình đếm", "Model's count"),
    # Worst pictures
    "worst": ("Những ảnh lệch nhiều nhất", "Where it is furthest off"),
    "worst_about": (
        "Nên xem từng ảnh: khoanh thật có đúng không, ảnh có rõ không, hay mô hình thật sự không biết?",
        "Worth a look one by one: is the truth right, is the picture clear, or does the model not know?",
    ),
    "no_worst": ("Không có ảnh nào lệch.", "There is no picture with a fault."),
    "outline_truth": ("sự thật", "truth"),
    "outline_answer": ("mô hình", "model"),
    "agreement_masks": ("Dice {value}", "Dice {value}"),
    "agreement_boxes": (
        "F1 {value} · thật {truth}, mô hình {answer}",
        "F1 {value} · {truth} true, {answer} marked",
    ),
    # Facts
    "box_thresholds": ("Ngưỡng phát hiện", "Detection thresholds"),
    "fact.objects": ("Số vật trong sự thật", "Objects in the truth"),
    "fact.holding": ("Ảnh có nhãn trong mặt nạ", "Images whose mask holds it"),
}

NOTES: dict[str, str] = {
    note.NOT_IN_TRUTH: "không ảnh nào có nhãn này: không xác định",
    note.IN_EVERY_TRUTH: "mọi ảnh đều có nhãn này: không xác định",
    note.NO_DISTANCE: "đã bỏ qua {count} trên {images} ảnh mà mô hình không khoanh gì",
    note.NO_SPACING: "đã bỏ qua {count} trên {images} ảnh không ghi kích thước điểm ảnh",
    note.NO_PAIR: "không ảnh nào có nhãn này cả trong sự thật lẫn câu trả lời: không xác định",
    note.NO_OBJECT: "không có vật nào của nhãn này: không xác định",
    note.NOTHING_FOUND: "mô hình không khoanh vật nào của nhãn này: không xác định",
    note.NO_WHOLE: "đã bỏ qua {count} trên {images} ảnh không tìm thấy phần nào để lấy tỉ lệ",
    note.NO_SHARE: "không ảnh nào có tỉ lệ cả trong sự thật lẫn câu trả lời: không xác định",
    note.TOO_FEW: "ít hơn hai ảnh: không xác định",
}
