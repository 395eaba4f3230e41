"""Every text of the face report, Vietnamese and English side by side.

``TEXTS`` maps a key to (vi, en); fields in braces are filled in. Keys with a dot belong to a family whose
member is chosen by the data. ``NOTES`` maps the English of a warning of ``evaluate.faces``
to the Vietnamese; notes of the metrics are in ``report.texts``.
"""

from __future__ import annotations

from vnvision.evaluate.faces import notes as warning

TEXTS: dict[str, tuple[str, str]] = {
    # Page frame
    "title": ("Báo cáo nhận diện khuôn mặt", "Face recognition report"),
    "unnamed": ("Bộ ảnh khuôn mặt", "Face image set"),
    "made_by": (
        "Lập bởi vnvision, ngay trên máy này. Trang không tải gì từ mạng, không ảnh nào rời máy.",
        "Made by vnvision on this machine. This page loads nothing from the network, no image leaves it.",
    ),
    "protocol.all-pairs": ("Mọi cặp ảnh", "All pairs"),
    "protocol.lfw": ("Danh sách cặp", "Listed pairs"),
    "protocol.1n": ("Tìm trong danh sách (1:N)", "Search in a gallery (1:N)"),
    "images": ("Ảnh", "Images"),
    "persons": ("Người", "People"),
    "comparisons": ("Phép so sánh", "Comparisons"),
    "searches": ("Lần tìm", "Searches"),
    "range": ("{low}–{high}", "{low}–{high}"),
    "with_range": ("{value} ({range})", "{value} ({range})"),
    "times": ("×{value}", "×{value}"),
    "percent_of": ("{value}%", "{value}%"),
    "interval": ("khoảng tin cậy {level}: {low}–{high}", "{level} interval: {low}–{high}"),
    "undefined": ("không xác định", "not defined"),
    "dash": ("–", "–"),
    "yes": ("có", "yes"),
    "no": ("không đủ dữ liệu", "not enough data"),
    "warnings": ("Cần biết trước khi tin các con số", "Know this before trusting the figures"),
    # Headlines
    "lead_group": (
        "Ở ngưỡng này, cứ {base} lần so sánh hai người khác nhau trong nhóm {group} "
        "thì {value} lần bị coi là cùng một người: gấp {ratio} lần nhóm tham chiếu ({reference}).",
        "At this threshold, {value} of {base} comparisons of different people in the group {group} "
        "are called the same person: {ratio} times the reference group ({reference}).",
    ),
    "lead_group_less": (
        "Không nhóm nào bị nhận nhầm nhiều hơn nhóm tham chiếu ({reference}). Nhóm gần nhất là {group}: "
        "{value} trên {base} lần so sánh hai người khác nhau, bằng {ratio} lần nhóm tham chiếu.",
        "No group is mistaken for somebody else more often than the reference group ({reference}). "
        "The closest is {group}: {value} of {base} comparisons of different people, {ratio} times "
        "the reference.",
    ),
    "lead_no_ratio": (
        "Nhóm tham chiếu ({reference}) không có lần nhận nhầm nào, nên không so được các nhóm với nó. "
        "Nhóm bị nhận nhầm nhiều nhất là {group}: {value} trên {base} lần so sánh hai người khác nhau.",
        "The reference group ({reference}) shows no false match, so no ratio to it can be given. "
        "The group mistaken most often is {group}: {value} of {base} comparisons of different people.",
    ),
    "lead_clear": (
        "Khoảng tin cậy {level} của tỉ số đi từ {low} đến {high}, không chứa 1.",
        "The {level} interval of the ratio runs from {low} to {high} and does not hold 1.",
    ),
    "lead_unclear": (
        "Khoảng tin cậy {level} của tỉ số đi từ {low} đến {high}, chứa cả 1: "
        "dữ liệu này chưa đủ để nói có khác biệt.",
        "The {level} interval of the ratio runs from {low} to {high} and holds 1: "
        "this data cannot tell whether there is a difference.",
    ),
    "lead_pairs": (
        "Ở ngưỡng này, cứ {base} lần so sánh hai người khác nhau thì {value} lần bị coi là cùng một người.",
        "At this threshold, {value} of {base} comparisons of different people are called the same person.",
    ),
    "lead_pairs_none": (
        "Ở ngưỡng này, không lần nào trong {n} lần so sánh hai người khác nhau bị coi là cùng một người.",
        "At this threshold, none of {n} comparisons of different people is called the same person.",
    ),
    "lead_missed": (
        "Cứ 100 lần so sánh hai ảnh của cùng một người thì {value} lần không được nhận ra.",
        "Of 100 comparisons of two images of one person, {value} are not recognised.",
    ),
    "lead_search": (
        "Cứ 100 lần tìm một người đã đăng ký thì {found} lần tìm đúng ngay ở vị trí đầu, "
        "ở ngưỡng mà {wrong} trên 100 người lạ bị gán cho một cái tên.",
        "Of 100 searches for an enrolled person, {found} find them in first place, "
        "at a threshold where {wrong} of 100 strangers are given a name.",
    ),
    "big_ratio": ("số lần nhận nhầm so với nhóm tham chiếu", "as many false matches as the reference group"),
    "big_tar": ("nhận ra đúng người, ở ngưỡng này", "of genuine comparisons are recognised"),
    "big_tpir": ("tìm đúng người đã đăng ký", "of enrolled people are found"),
    # Differential
    "differential": ("Có công bằng giữa các nhóm không", "Is it the same for every group"),
    "differential_about": (
        "Mọi nhóm được đo ở cùng một ngưỡng {threshold} (cách trình bày theo ISO/IEC 19795-10). "
        "Vạch ngang là khoảng tin cậy {level} theo người; đường nét đứt là nhóm tham chiếu ({reference}). "
        "Ảnh của các nhóm có thể khác nhau về nguồn, tuổi, chất lượng: khác biệt không chỉ do mô hình.",
        "All groups are measured at one threshold, {threshold} (reported after ISO/IEC 19795-10). "
        "Whiskers are {level} intervals over people; the dashed line is the reference group ({reference}). "
        "Images of the groups may differ in source, age, quality: a gap is not the model's alone.",
    ),
    "chart_fmr": (
        "Nhận nhầm hai người khác nhau, trên {base} lần (FMR)",
        "Different people called the same, in {base} (FMR)",
    ),
    "chart_fnmr": (
        "Không nhận ra cùng một người, trên 100 lần (FNMR)",
        "One person not recognised, in 100 (FNMR)",
    ),
    "reference_mark": ("tham chiếu", "reference"),
    "people_images": ("{people} người, {images} ảnh", "{people} people, {images} images"),
    "none_seen": ("chưa thấy", "none seen"),
    "say_group": (
        "{group}: {value} trên {base} lần so sánh hai người khác nhau bị coi là cùng một người, "
        "gấp {ratio} lần nhóm tham chiếu.",
        "{group}: {value} of {base} comparisons of different people are called the same person, "
        "{ratio} times the reference group.",
    ),
    "say_none": (
        "{group}: không lần nào trong {n} lần so sánh hai người khác nhau bị coi là cùng một người.",
        "{group}: none of {n} comparisons of different people is called the same person.",
    ),
    "say_reference": (
        "{group} (tham chiếu): {value} trên {base} lần.",
        "{group} (reference): {value} of {base}.",
    ),
    "table_groups": ("Từng nhóm", "Group by group"),
    "col_group": ("Nhóm", "Group"),
    "col_fmr": ("Nhận nhầm (FMR), trên {base}", "False matches (FMR), in {base}"),
    "col_fmr_ratio": ("So với tham chiếu", "Against reference"),
    "col_fnmr": ("Không nhận ra (FNMR)", "Not recognised (FNMR)"),
    "col_fte": ("Không lấy được mẫu (FTE)", "Failure to enrol (FTE)"),
    "cross": ("Nhận nhầm giữa các nhóm", "False matches across groups"),
    "cross_about": (
        "Mỗi ô: số lần nhận nhầm trên {base} lần so sánh một người của nhóm hàng với một người của "
        "nhóm cột, "
        "và tỉ số so với bên trong nhóm tham chiếu. Màu đậm hơn là nhầm nhiều hơn.",
        "Each cell: false matches in {base} comparisons of a person of the row's group with one of "
        "the column's, "
        "and the ratio to the inside of the reference group. Darker means more.",
    ),
    "not_compared": ("không so", "not compared"),
    # Overall
    "overall": ("Kết quả chung", "Overall results"),
    "overall_about": (
        "Đặt ngưỡng sao cho tỉ lệ nhận nhầm (FMR) đúng bằng mức ghi ở cột đầu, rồi xem nhận ra được "
        "bao nhiêu. "
        "Một mức FMR cần ít nhất 3/FMR phép so sánh hai người khác nhau thì mới đáng tin.",
        "The threshold is set to the FMR of the first column, then we see how many are recognised. "
        "An FMR needs at least 3/FMR comparisons of different people to be trusted.",
    ),
    "col_target_fmr": ("FMR đặt ra", "FMR asked for"),
    "col_threshold": ("Ngưỡng", "Threshold"),
    "col_tar": ("Nhận ra đúng (TAR)", "Recognised (TAR)"),
    "col_supported": ("Đủ dữ liệu", "Supported"),
    "fact_operating": ("Ngưỡng của báo cáo", "This report's threshold"),
    "fact_source": ("Ngưỡng lấy từ", "Threshold from"),
    "fact_fmr": ("FMR ở ngưỡng đó", "FMR there"),
    "fact_fnmr": ("FNMR ở ngưỡng đó", "FNMR there"),
    "fact_eer": ("Tỉ lệ lỗi cân bằng (EER)", "Equal error rate (EER)"),
    "fact_folds": ("Độ chính xác qua {n} phần", "Accuracy over {n} folds"),
    "fact_folds_value": ("{value}% (sai số chuẩn {error})", "{value}% (standard error {error})"),
    "fact_genuine": ("So sánh cùng một người", "Comparisons of one person"),
    "fact_impostor": ("So sánh hai người khác nhau", "Comparisons of two people"),
    "source_given": ("người dùng đặt", "given by the user"),
    "source_point": ("điểm vận hành đã lưu: {population}", "stored operating point: {population}"),
    "source_reference": ("FMR {target} trên nhóm {population}", "FMR {target} on the group {population}"),
    "source_all": ("FMR {target} trên mọi phép so sánh", "FMR {target} on all comparisons"),
    # Charts
    "charts": ("Biểu đồ", "Charts"),
    "det": ("Đường cong DET", "DET curve"),
    "det_about": (
        "Hai loại lỗi đổi cho nhau khi dời ngưỡng. Càng sát góc dưới bên trái càng tốt; chấm tròn: "
        "ngưỡng của báo cáo.",
        "The two errors trade against each other as the threshold moves. Lower left is better; dot: "
        "this threshold.",
    ),
    "roc": ("Đường cong ROC", "ROC curve"),
    "roc_about": (
        "Nhận ra được bao nhiêu ở mỗi mức nhận nhầm. Càng cao và càng sang trái càng tốt.",
        "How many are recognised at each rate of false matches. Higher and further left is better.",
    ),
    "histogram": ("Phân bố điểm giống nhau", "Similarity scores"),
    "histogram_about": (
        "Hai ngọn đồi càng tách xa nhau càng tốt. Đường nét đứt: ngưỡng của báo cáo.",
        "The further apart the two hills, the better. Dashed line: this report's threshold.",
    ),
    "histogram_search_about": (
        "Điểm của đúng người khi tìm, và điểm cao nhất mà một người lạ đạt được.",
        "Scores of the right person in searches, and the best score a stranger reaches.",
    ),
    "on_fmr": ("Nhận nhầm (FMR)", "False matches (FMR)"),
    "on_fnmr": ("Không nhận ra (FNMR)", "Not recognised (FNMR)"),
    "on_tar": ("Nhận ra đúng (TAR)", "Recognised (TAR)"),
    "on_score": ("Độ giống nhau (cosine)", "Similarity (cosine)"),
    "on_share": ("Tỉ lệ mỗi loại", "Share of each kind"),
    "on_rank": ("Vị trí", "Rank"),
    "on_found": ("Tìm thấy đến vị trí này", "Found up to this rank"),
    "key_genuine": ("cùng một người", "one person"),
    "key_impostor": ("hai người khác nhau", "two people"),
    "key_mate": ("đúng người", "right person"),
    "key_stranger": ("người lạ", "stranger"),
    # Search
    "search": ("Tìm trong danh sách", "Search in a gallery"),
    "search_about": (
        "{enrolled} người đã đăng ký ({gallery} ảnh); {mated} lần tìm người đã đăng ký, {unknown} "
        "lần tìm người lạ.",
        "{enrolled} people enrolled ({gallery} images); {mated} searches for enrolled people, "
        "{unknown} for strangers.",
    ),
    "col_target_fpir": ("FPIR đặt ra", "FPIR asked for"),
    "col_tpir": ("Tìm đúng ở vị trí đầu (TPIR)", "Found in first place (TPIR)"),
    "col_fpir": ("Người lạ bị gán tên (FPIR)", "Strangers given a name (FPIR)"),
    "cmc": ("Tìm thấy đến vị trí nào (CMC)", "Found up to which rank (CMC)"),
    "cmc_about": (
        "Chỉ tính người đã đăng ký, không dùng ngưỡng: không nói gì về người lạ.",
        "Enrolled people only, without a threshold: says nothing about strangers.",
    ),
    # Failures and provenance
    "failures": ("Ảnh không lấy được mẫu khuôn mặt", "Images without a face template"),
    "failures_about": (
        "{failed} trên {images} ảnh ({rate}, khoảng {low}–{high}). Các ảnh này không nằm trong lần "
        "so sánh nào.",
        "{failed} of {images} images ({rate}, interval {low}–{high}). They are in no comparison.",
    ),
    "col_reason": ("Lý do", "Reason"),
    "how": ("Đo như thế nào", "How it was measured"),
    "fact_protocol": ("Cách so sánh", "Protocol"),
    "fact_group": ("Cột nhóm", "Group column"),
    "fact_within": ("Chỉ so khi trùng cột", "Compared only within equal"),
    "fact_model": ("Mô hình (mã nhận dạng)", "Model (fingerprint)"),
    "fact_manifest": ("Bảng kê dữ liệu (SHA-256)", "Manifest (SHA-256)"),
    "not_stated": ("không ghi", "not stated"),
    "glossary": (
        "FMR: tỉ lệ lần so sánh hai người khác nhau bị coi là cùng một người. FNMR: tỉ lệ lần so "
        "sánh cùng một người "
        "mà không nhận ra. TAR = 1 − FNMR. FTE: tỉ lệ ảnh không lấy được mẫu. TPIR, FPIR: tỉ lệ tìm "
        "đúng người đã "
        "đăng ký, và tỉ lệ người lạ bị gán tên. Khoảng tin cậy tính theo người: các ảnh của một "
        "người luôn đi cùng nhau.",
        "FMR: share of comparisons of two people called the same person. FNMR: share of comparisons "
        "of one person not "
        "recognised. TAR = 1 − FNMR. FTE: share of images without a template. TPIR, FPIR: share of "
        "enrolled people "
        "found, and of strangers given a name. Intervals are over people: all images of a person "
        "stay together.",
    ),
    # Names of groups that data sets often have
    "group.chinese": ("Trung Quốc", "Chinese"),
    "group.japanese": ("Nhật Bản", "Japanese"),
    "group.korean": ("Hàn Quốc", "Korean"),
    "group.vietnamese": ("Việt Nam", "Vietnamese"),
    "group.asian": ("châu Á", "Asian"),
    "group.indian": ("Ấn Độ", "Indian"),
    "group.black": ("da đen", "Black"),
    "group.white": ("da trắng", "White"),
    "group.female": ("nữ", "female"),
    "group.male": ("nam", "male"),
    "group.all": ("tất cả", "all"),
    # Reasons that bulk embedding gives
    "reason.no face": ("không thấy khuôn mặt", "no face"),
    "reason.unreadable": ("không đọc được ảnh", "unreadable"),
    "reason.quality": ("chất lượng ảnh kém", "quality"),
}

NOTES: dict[str, str] = {
    warning.NO_TEMPLATE: "{failed} trên {images} ảnh không lấy được mẫu và không nằm trong phép so sánh nào",
    warning.NO_IDENTITY: "đã bỏ qua {images} ảnh không ghi là ai",
    warning.FEW_PERSONS: (
        "chỉ có {subjects} người, ít hơn {limit}: khoảng tin cậy rộng, và có thể vẫn còn quá hẹp"
    ),
    warning.FMR_UNSUPPORTED: (
        "FMR {target} cần {needed} phép so sánh hai người khác nhau, ở đây có {n}: chưa đủ để tin"
    ),
    warning.FPIR_UNSUPPORTED: "FPIR {target} cần {needed} lần tìm người lạ, ở đây có {n}: chưa đủ để tin",
    warning.SAME_DATA: "ngưỡng được đặt trên chính dữ liệu này: dữ liệu mới sẽ cho tỉ lệ hơi khác",
    warning.PAIRS_LEFT_OUT: "đã bỏ qua {left} trên {pairs} cặp: có ảnh không lấy được mẫu",
    warning.FIXED_THRESHOLD: (
        "khoảng tin cậy tính cho đúng ngưỡng này: chưa kể việc chính ngưỡng cũng chỉ là ước lượng"
    ),
    warning.NO_PERSONS: ("bộ ảnh không ghi ai là ai: mỗi cặp được coi là độc lập, khoảng tin cậy quá hẹp"),
    warning.WITHIN: "chỉ so các ảnh có cùng {column}; ảnh không có giá trị này không được so",
    warning.NO_MODEL: "không ghi mô hình nào: ngưỡng chỉ đúng với một mô hình",
}
