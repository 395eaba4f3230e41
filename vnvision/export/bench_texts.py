"""Texts of the benchmark's page, Vietnamese and English side by side."""

from __future__ import annotations

from functools import partial

from vnvision.report.phrases import phrase_of

TEXTS: dict[str, tuple[str, str]] = {
    "title": ("Đo hiệu năng", "Benchmark"),
    "made_by": (
        "Lập bởi vnvision, ngay trên máy này. Trang không tải gì từ mạng.",
        "Made by vnvision on this machine. This page loads nothing from the network.",
    ),
    "lead": (
        "Nhanh nhất trên máy này: {target}, một ảnh {p50} ms (trung vị), 95 % số lần không quá {p95} ms.",
        "Quickest on this machine: {target}, one picture in {p50} ms (median), 95 % within {p95} ms.",
    ),
    "lead_wrong": (
        "Không tính {targets}: kết quả trên máy này khác mô hình gốc.",
        "Left out: {targets}, whose answers on this machine are not the original's.",
    ),
    "nothing": ("Không bản xuất nào chạy được trên máy này.", "No target could be run on this machine."),
    "big": ("ms một ảnh, trung vị", "ms a picture, median"),
    "embedding": ("Vectơ đặc trưng", "Embedding"),
    "machine": ("Máy", "Machine"),
    "cores": ("{n} nhân, {system}", "{n} cores, {system}"),
    "threads": ("Số luồng", "Threads"),
    "rounds": ("Số vòng đo", "Rounds"),
    "rounds_of": ("{rounds} x {repeats} lần", "{rounds} x {repeats} runs"),
    "side_by_side": ("Các bản xuất cạnh nhau", "Targets side by side"),
    "about": (
        "Mỗi bản xuất chạy trong tiến trình riêng, lần lượt từng vòng, xuôi rồi ngược. Độ trễ: một lần suy "
        "luận một ảnh, không kể đọc tệp và đổi kích thước. Thông lượng: trung vị các vòng; nhiều mô hình "
        "cùng lúc thì mỗi mô hình một luồng.",
        "Each target runs in a process of its own, in turn, forwards and backwards. Latency: one inference "
        "of one picture, without reading and resizing files. Throughput: the median of the rounds; of "
        "several models at once, each has one thread.",
    ),
    "col_target": ("Bản xuất", "Target"),
    "col_latency": ("Độ trễ, ms", "Latency, ms"),
    "col_throughput": ("Ảnh mỗi giây", "Pictures a second"),
    "col_memory": ("Bộ nhớ, MiB", "Memory, MiB"),
    "col_size": ("Kích thước, MB", "Size, MB"),
    "col_energy": ("Điện năng, mJ một ảnh", "Energy, mJ a picture"),
    "col_agreement": ("So với mô hình gốc", "Against the original"),
    "p95": ("p95 {p95}", "p95 {p95}"),
    "rounds_from": ("các vòng {low}–{high}", "rounds {low}–{high}"),
    "rate": ("lô {batch}", "batch {batch}"),
    "rate_workers": ("{workers} mô hình cùng lúc", "{workers} models at once"),
    "memory": ("trước khi nạp {before}, sau {loaded}", "before loading {before}, after {loaded}"),
    "unknown": ("không đọc được", "not readable"),
    "agrees": ("khớp", "agrees"),
    "differs": ("không khớp", "differs"),
    "difference": ("sai lệch {gap}", "difference {gap}"),
    "at_most": ("tối đa {limit}", "at most {limit}"),
    "as_exported": ("so với lúc xuất {gap}, tối đa {limit}", "from its export {gap}, at most {limit}"),
    "no_accuracy": ("chưa đo: {why}", "not measured: {why}"),
    "skipped": ("Không chạy ở đây", "Not run here"),
    "skipped_about": (
        "Có trong gói nhưng không đo được trên máy này; lý do ghi nguyên văn.",
        "In the bundle, and not measured on this machine; reasons as the scripts gave them.",
    ),
    "notes": ("Cách đọc", "How to read this"),
    "note_noise": (
        "Độ trễ từng vòng chênh nhau là nhiễu của máy này: chỉ nên tin khác biệt lớn hơn khoảng đó.",
        "How far the rounds lie apart is this machine's noise: trust only differences beyond it.",
    ),
    "note_energy": ("Điện năng: không đọc được ({why}).", "Energy: not readable ({why})."),
    "no_counters": ("máy này không có bộ đếm điện năng", "this machine has no energy counters"),
    "root_only": ("chỉ root đọc được bộ đếm điện năng", "the energy counters may only be read by root"),
    "note_energy_all": (
        "Điện năng đếm cả bộ xử lý, kể cả các chương trình khác đang chạy.",
        "Energy counts the whole processor, other programs included.",
    ),
    "note_memory": (
        "Bộ nhớ là của tiến trình chỉ có numpy và bộ máy suy luận; con số lớn là mức cao nhất.",
        "Memory is that of a process with numpy and the engine alone; the large number is the peak.",
    ),
    "note_agreement": (
        "Sai lệch: chênh lệch lớn nhất với đáp án của mô hình gốc trên {n} ảnh chuẩn, chia cho khoảng biến "
        "thiên của đáp án. Tệp 8 bit được coi là khớp khi trả lời như lúc xuất.",
        "Difference: the largest to the original's answers on {n} golden pictures, over how far those lie "
        "apart. An 8-bit file agrees where it answers as it did when its kit was written.",
    ),
    "note_board": (
        "Con số của máy này không nói gì về bo mạch: hãy chạy bench.py của bộ triển khai ngay trên bo mạch.",
        "This machine's figures say nothing of a board: run the deploy kit's bench.py on the board itself.",
    ),
    "note_accuracy": (
        "Độ đúng đo trên {split}, khoảng tin cậy 95 %; cùng ảnh cho mọi bản xuất.",
        "Accuracy on {split}, 95 % intervals; the same pictures for every target.",
    ),
    "synthetic": (
        "Mô hình này được huấn luyện bằng ảnh vẽ: độ đúng không nói gì về thực tế.",
        "This model was trained on drawn pictures: its accuracy says nothing of the field.",
    ),
}

UNREADABLE = {TEXTS[key][1]: key for key in ("no_counters", "root_only")}
"""The key of what ``meters.py`` of the kit says."""

tell = partial(phrase_of, TEXTS)
"""A text of this table; unknown keys raise ``KeyError`` at once."""
