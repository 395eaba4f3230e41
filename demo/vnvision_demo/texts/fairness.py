"""Texts of the fairness tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "fairness.lead": (
        "Hệ thống này nhận nhầm **người của bạn** bao nhiêu? Gửi một tệp zip: mỗi người một thư mục, "
        "mỗi thư mục từ 2 ảnh. Muốn so các nhóm: đặt thư mục người vào thư mục nhóm.",
        "How often does this system mistake **your people**? Send a zip with a folder a person and "
        "2 photos or more in each. To hold groups against each other, put "
        "the people's folders into folders of groups.",
    ),
    "fairness.tree": (
        "nhóm-A/An/1.jpg, nhóm-A/An/2.jpg, nhóm-B/Bình/1.jpg …",
        "group-A/An/1.jpg, group-A/An/2.jpg, group-B/Binh/1.jpg …",
    ),
    "fairness.zip": ("Tệp zip", "Zip file"),
    "fairness.go": ("Đánh giá", "Evaluate"),
    "fairness.need": ("Hãy gửi một tệp zip trước.", "Send a zip first."),
    "fairness.none": ("Chưa có báo cáo", "No report yet"),
    "fairness.none_lead": (
        "Báo cáo hiện ở đây: với từng nhóm, bao nhiêu người bị nhận nhầm và bao nhiêu người bị bỏ sót.",
        "The report appears here: for each group, how many are taken for others, and how many are missed.",
    ),
    "fairness.done": ("{people} người, {photos} ảnh", "{people} people, {photos} photos"),
    "fairness.at": (
        "Ở ngưỡng hệ thống đang dùng ({target}, cosine {limit})",
        "At the threshold this system uses ({target}, cosine {limit})",
    ),
    "fairness.everyone": ("Tất cả", "Everyone"),
    "fairness.group": ("Nhóm", "Group"),
    "fairness.people": ("Người", "People"),
    "fairness.mistaken": ("Bị nhận nhầm", "Mistaken for another"),
    "fairness.missed": ("Bị bỏ sót", "Missed"),
    "fairness.fmr": ("Tỉ lệ nhận nhầm (FMR)", "False match rate (FMR)"),
    "fairness.no_face": ("Không thấy mặt", "No face found"),
    "fairness.few": (
        "Nhóm {group} cần khoảng {needed} người mới thấy được tỉ lệ mà ngưỡng hứa.",
        "Group {group} needs about {needed} people before the rate that was promised can be seen.",
    ),
    "fairness.few_all": (
        "Cần khoảng {needed} người mới thấy được tỉ lệ mà ngưỡng hứa.",
        "About {needed} people are needed before the rate that was promised can be seen.",
    ),
    "fairness.twins": (
        "Cùng một ảnh nằm trong thư mục của hai người: {pairs}. Hãy kiểm tra lại.",
        "The same photo lies in two people's folders: {pairs}. Please check.",
    ),
    "fairness.pdf": ("Tải báo cáo PDF", "Download the PDF"),
    "fairness.html": ("Tải trang báo cáo", "Download the page"),
    "fairness.json": ("Tải số liệu JSON", "Download the figures"),
    "fairness.stage.unpack": ("Giải nén", "Unpacking"),
    "fairness.stage.list": ("Đọc danh sách", "Reading the list"),
    "fairness.stage.faces": ("Tìm khuôn mặt", "Finding faces"),
    "fairness.stage.compare": ("So từng cặp", "Comparing all pairs"),
    "fairness.stage.write": ("Viết báo cáo", "Writing the report"),
    "fairness.stage.done": ("Xong", "Done"),
    "fairness.example.drawn": (
        "12 khuôn mặt vẽ (với máy, chúng giống hệt nhau)",
        "12 drawn faces (to the network they are all alike)",
    ),
}
