"""Texts of the frame around all tabs, of waiting, and of what goes wrong."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {
    "app.title": ("vnvision: xem ảnh cây trồng và ảnh y tế", "vnvision: pictures of crops and clinics"),
    "app.lead": (
        "Chụp một chiếc lá hay mở một tấm phim. Máy này tự trả lời, không gửi ảnh đi đâu cả.",
        "Photograph a leaf or open a scan. This machine answers by itself, and sends no picture anywhere.",
    ),
    "app.offline": ("Chạy ngay trên máy này, không cần mạng", "Runs on this machine, no internet needed"),
    "app.opening": ("Đang mở…", "Opening…"),
    "app.noscript": (
        "Trang này cần JavaScript. Hãy bật JavaScript trong trình duyệt.",
        "This page needs JavaScript. Please switch it on in the browser.",
    ),
    "app.language": ("Ngôn ngữ", "Language"),
    "app.skip": ("Đến nội dung chính", "Skip to the content"),
    "app.leave": ("Đăng xuất", "Sign out"),
    "app.broken": ("Trang không mở được. Hãy tải lại.", "The page cannot be opened. Reload it."),
    "app.foot": (
        "vnvision {version} · mã nguồn mở Apache-2.0 · không thay cho bác sĩ hay cán bộ khuyến nông",
        "vnvision {version} · open source, Apache-2.0 · no substitute for a doctor or an extension officer",
    ),
    "tab.crops": ("Cây trồng", "Crops"),
    "tab.clinic": ("Phòng khám", "Clinic"),
    "tab.faces": ("Khuôn mặt", "Faces"),
    "tab.fairness": ("Đánh giá công bằng", "Fairness"),
    "tab.batch": ("Hàng loạt", "Batch"),
    "tab.teach": ("Dạy mô hình", "Teach"),
    "tab.models": ("Mô hình", "Models"),
    "login.title": ("Đăng nhập · vnvision", "Sign in · vnvision"),
    "login.lead": ("Hãy đăng nhập để dùng trang này.", "Please sign in to use this page."),
    "login.name": ("Tên đăng nhập", "User name"),
    "login.password": ("Mật khẩu", "Password"),
    "login.enter": ("Vào trang", "Sign in"),
    "login.wrong": ("Sai tên đăng nhập hoặc mật khẩu.", "Wrong user name or password."),
    "session.gone": (
        "Phiên làm việc đã hết. Hãy tải lại trang.",
        "This session has ended. Please reload the page.",
    ),
    "rate.session": (
        "Bạn gửi quá nhanh. Hãy chờ một phút rồi thử lại.",
        "You are asking too fast. Wait a minute, then try again.",
    ),
    "rate.address": (
        "Có quá nhiều lượt mở trang từ máy của bạn. Hãy chờ một phút.",
        "Too many pages were opened from your machine. Wait a minute.",
    ),
    "rate.login": (
        "Đăng nhập sai nhiều lần. Hãy chờ một phút.",
        "Too many attempts to sign in. Wait a minute.",
    ),
    "upload.too_large": (
        "Tệp quá lớn: tối đa {limit_mb} MB. Hãy chụp lại ở cỡ nhỏ hơn, hoặc chia tệp ra.",
        "The file is too large: at most {limit_mb} MB. Take a smaller picture, or split the file.",
    ),
    "upload.session_full": (
        "Bạn đã gửi hơn {limit_mb} MB chưa xử lý. Hãy chờ các ảnh trước được trả lời.",
        "More than {limit_mb} MB of yours is waiting. Let the earlier pictures be answered first.",
    ),
    "upload.server_full": (
        "Máy đang đầy ảnh chờ xử lý. Hãy thử lại sau vài phút.",
        "The machine is full of pictures that wait. Try again in some minutes.",
    ),
    "upload.gone": (
        "Tệp này không còn trên máy (đã xoá sau khi trả lời). Hãy gửi lại.",
        "This file is no longer here (files are deleted once they are answered). Send it again.",
    ),
    "upload.no_form": ("Không nhận được tệp. Hãy gửi lại.", "No file arrived. Send it again."),
    "upload.question": ("Yêu cầu quá dài.", "The request is too long."),
    "parcel.gone": (
        "Tệp này đã hết hạn hoặc không phải của bạn. Hãy làm lại để có tệp mới.",
        "This file has expired or is not yours. Ask again for a new one.",
    ),
    "error.title": ("Chưa làm được", "That did not work"),
    "error.unknown": (
        "Có lỗi mà chương trình chưa lường trước. Hãy thử lại; nếu vẫn vậy, báo người quản lý máy.",
        "Something unforeseen went wrong. Try again; if it stays so, tell whoever looks after this machine.",
    ),
    "error.picture": (
        "Không đọc được ảnh này. Hãy dùng ảnh JPEG, PNG, WebP, TIFF, BMP hoặc DICOM, chụp lại nếu cần.",
        "This picture cannot be read. Use JPEG, PNG, WebP, TIFF, BMP or DICOM, or take it again.",
    ),
    "error.detail": ("Chi tiết kỹ thuật", "Technical details"),
    "get.pdf": ("Tải phiếu PDF", "Download the PDF"),
    "get.note": (
        "Chỉ trình duyệt này tải được, trong 15 phút.",
        "Only this browser can fetch it, for 15 minutes.",
    ),
    "example.title": ("Chưa có ảnh? Thử một ví dụ", "No picture at hand? Try an example"),
    "example.drawn": ("hình vẽ, không phải ảnh chụp", "drawn, not photographed"),
    "example.missing": ("Ví dụ này không có trên máy.", "This example is not on this machine."),
    "sources": ("Nguồn", "Sources"),
    "about_model": ("Về mô hình này", "About this model"),
    "again.gone": (
        "Ảnh trước không còn trong máy. Hãy gửi lại ảnh.",
        "The last picture is no longer here. Please send it again.",
    ),
}
