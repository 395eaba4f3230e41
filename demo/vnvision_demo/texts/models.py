"""Texts of the models tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "models.lead": (
        "Mỗi mô hình có một thẻ: học từ ảnh nào, đúng bao nhiêu, ai **không** nên dùng.",
        "Every model has a card: what it learnt from, how good it is, and who must **not** use it.",
    ),
    "models.which": ("Mô hình nào?", "Which model?"),
    "models.measured": ("Kết quả đo", "Measured"),
    "models.size": ("Dung lượng", "Size"),
    "models.licence": ("Giấy phép dữ liệu", "Licence of the data"),
    "models.status": ("Trạng thái", "Status"),
    "models.mb": ("{size} MB", "{size} MB"),
    "models.add": ("Thêm mô hình", "Add a model"),
    "models.add_lead": (
        "Gửi tệp zip của một gói mô hình (do thẻ Dạy mô hình hay lệnh vnvision export tạo ra).",
        "Send the zip of a bundle (made by the tab Teach or by vnvision export).",
    ),
    "models.zip": ("Gói mô hình (zip)", "Bundle (zip)"),
    "models.name": ("Gọi tên là", "Call it"),
    "models.name_hint": ("chữ thường không dấu, ví dụ: thanh-long", "small letters, such as: dragonfruit"),
    "models.add_go": ("Thêm", "Add"),
    "models.added": (
        "Đã thêm {name}. Tải lại trang để chọn ở các thẻ khác.",
        "{name} was added. Reload the page to choose it on the other tabs.",
    ),
    "models.need": ("Hãy gửi gói mô hình và ghi tên.", "Send a bundle and write its name."),
    "models.remove": ("Xoá mô hình này của tôi", "Remove this model of mine"),
    "models.removed": ("Đã xoá {name}.", "{name} was removed."),
    "models.off": (
        "Trang này mở cho cả mạng mà chưa có mật khẩu, nên chưa thêm hay xoá được. Hãy chạy lại với --auth.",
        "This page is open to the network without a password, so nothing can be added. Start it with --auth.",
    ),
    "models.function": (
        "Đây là chức năng có sẵn, không phải một mô hình riêng.",
        "This is a function, not a model of its own.",
    ),
}
