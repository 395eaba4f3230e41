"""Texts of the field and shortcut cards, Vietnamese and English side by side: (vi, en)."""

from __future__ import annotations

from vnvision.evaluate import field_notes

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Ảnh chụp ngoài thực tế", "In the field"),
    "field": ("Từ phòng thí nghiệm ra đồng ruộng", "From the laboratory to the field"),
    "field_lead": (
        "Trong phòng thí nghiệm mô hình trả lời đúng {lab}; ngoài thực tế {field}.",
        "In the laboratory the model answers {lab} correctly; in the field {field}.",
    ),
    "field_change": (
        "Thay đổi {change} (khoảng tin cậy {level}: từ {low} đến {high}).",
        "That is a change of {change} ({level} interval: {low} to {high}).",
    ),
    "field_undefined": (
        "Không tính được tỉ lệ đúng ở một trong hai bên.",
        "Accuracy is not defined on one of the two sides.",
    ),
    "field_about": (
        "Cùng một mô hình, cùng các nhãn. Hai bên không chung nhóm nào, không chung tệp nào. Con số đáng "
        "tin là con "
        "số ngoài thực tế.",
        "One model, the same labels. The two sides share no group and no file. The number to go by is the "
        "field's.",
    ),
    "col_metric": ("Chỉ số", "Metric"),
    "col_label": ("Độ nhạy theo nhãn", "Recall by label"),
    "col_lab": ("Phòng thí nghiệm", "Laboratory"),
    "col_field": ("Thực tế", "Field"),
    "col_change": ("Thay đổi", "Change"),
    "side": ("{n} ảnh, {groups} nhóm: {name}, {split}", "{n} pictures, {groups} groups: {name}, {split}"),
    "split.train": ("tập huấn luyện", "training set"),
    "split.val": ("tập thẩm định", "validation set"),
    "split.test": ("tập kiểm tra", "test set"),
    "split.all": ("toàn bộ", "all of it"),
    "left_out": ("Không so sánh được (chỉ một bên có)", "Not compared (only one side has it)"),
    "left_out_lab": ("{label}: {n} ảnh phòng thí nghiệm", "{label}: {n} laboratory pictures"),
    "left_out_field": ("{label}: {n} ảnh thực tế", "{label}: {n} field pictures"),
    "unlabelled": ("{n} ảnh không có nhãn", "{n} pictures without a label"),
    "copies": ("Ảnh thực tế giống hệt ảnh phòng thí nghiệm", "Field pictures that look like copies"),
    "not_checked": ("chưa kiểm tra", "not looked for"),
    "points": ("{value} điểm", "{value} points"),
    "range": ("từ {low} đến {high}", "{low} to {high}"),
    "shortcuts": (
        "Lối tắt: đoán nhãn mà không cần nhìn bệnh",
        "Shortcuts: telling the label without seeing the disease",
    ),
    "shortcuts_about": (
        "Một bộ phân loại rất đơn giản (hồi quy logistic) học từ {n_train} ảnh và đoán nhãn của {n} ảnh "
        "thuộc {groups} "
        "nhóm, {split}, chỉ với những gì còn lại khi bỏ vật thể đi. Vạch đứng: đoán mò.",
        "A very plain classifier (logistic regression) learned from {n_train} pictures and was asked about "
        "{n} in "
        "{groups} groups, {split}, with only what is left when the subject is taken away. Upright tick: "
        "chance.",
    ),
    "flagged": ("Có lối tắt mạnh: {views}.", "Strong shortcuts: {views}."),
    "not_flagged": (
        "Không thấy lối tắt mạnh trong các góc nhìn đã thử. Điều đó không chứng minh là không có.",
        "No strong shortcut in the views tried. That does not prove that there is none.",
    ),
    "col_view": ("Chỉ nhìn thấy", "All it sees"),
    "col_balanced": ("Tỉ lệ đúng cân bằng", "Balanced accuracy"),
    "col_accuracy": ("Tỉ lệ đúng", "Accuracy"),
    "col_auroc": ("AUROC", "AUROC"),
    "col_luck": ("Học nhãn xáo trộn", "Labels shuffled"),
    "luck": ("{mean}, cao nhất {high}", "{mean}, at most {high}"),
    "model_itself": ("Mô hình", "The model itself"),
    "none": ("không có", "none"),
    "warnings": ("Cần biết trước khi tin các con số", "Know this before trusting the figures"),
    "made_by": (
        "Lập bởi vnvision, ngay trên máy này. Trang không tải gì từ mạng, không ảnh nào rời máy.",
        "Made by vnvision on this machine. This page loads nothing from the network, no image leaves it.",
    ),
}  # fmt: skip

NOTES: dict[str, str] = {
    field_notes.ONE_SIDE: "không xác định ở một trong hai bên",
    field_notes.NO_INTERVAL: "một trong hai bên không có khoảng tin cậy",
    field_notes.FEW_GROUPS: "{name}: chỉ có {groups} nhóm; khoảng tin cậy rộng và có thể vẫn còn quá hẹp",
    field_notes.NO_GROUPS: (
        "{name}: không có group_id, mỗi ảnh tính là một nhóm; khoảng tin cậy có thể quá hẹp"
    ),
    field_notes.COPIES: (
        "{count} ảnh thực tế trông như bản sao của ảnh phòng thí nghiệm: có thể không phải nơi khác"
    ),
}
