"""MODEL_CARD.md of a model that was taught: Vietnamese first, then English; figures from the report."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from vnvision.hub.knowledge import NOTICES
from vnvision.records import BundleManifest, Metric
from vnvision.teach.records import ClassRow, Language, Taught

_OWED = ("title", "authors", "year", "doi", "url", "licence", "licence_url")
_MARKUP = set("\\`*_[]|~$#")
TEXT: dict[Language, dict[str, str]] = {
    "vi": {
        "language": "Tiếng Việt",
        "what": "Mô hình phân loại ảnh do chính người dùng dạy bằng vnvision, từ {n} ảnh ({groups} nhóm"
        " ảnh khác nhau). Không có người thứ ba nào kiểm định.",
        "score": "Điểm trung thực",
        "how": "Đo bằng kiểm định chéo lặp lại, không tách nhóm ảnh gần giống nhau; khoảng tin cậy 95 %.",
        "accuracy": "Tỉ lệ đúng",
        "balanced": "Tỉ lệ đúng cân bằng",
        "guessing": "Luôn trả lời lớp nhiều ảnh nhất",
        "head": "lớp | mã | ảnh | khác nhau | độ nhạy | độ chính xác của câu trả lời",
        "warnings": "Cần biết trước khi dùng",
        "sure": "Khi nào mô hình không trả lời",
        "scope": "Ảnh trông khác hẳn các ảnh đã học thì mô hình từ chối trả lời.",
        "limit": "Dưới mức tự tin {limit} mô hình không trả lời.",
        "trunk": "Phần mạng có sẵn",
        "from": "Đặc trưng ảnh lấy từ mạng của mô hình {trunk}, không huấn luyện thêm; phần phân loại mới.",
        "licences": "Giấy phép",
        "use": "Cách dùng",
    },
    "en": {
        "language": "English",
        "what": "An image classifier that its user taught with vnvision, from {n} photographs ({groups}"
        " groups that differ). Nobody else has checked it.",
        "score": "Honest score",
        "how": "Repeated cross-validation, near-duplicates kept together; 95 % intervals over groups.",
        "accuracy": "Accuracy",
        "balanced": "Balanced accuracy",
        "guessing": "Always naming the commonest class",
        "head": "class | id | photographs | that differ | recall | precision",
        "warnings": "Know before use",
        "sure": "When it does not answer",
        "scope": "Pictures that look unlike those it learnt from are turned away.",
        "limit": "Below a confidence of {limit} it does not answer.",
        "trunk": "The network underneath",
        "from": "Features come from the network of the model {trunk}, not trained further; the head is new.",
        "licences": "Licences",
        "use": "Use",
    },
}


def card_text(manifest: BundleManifest, taught: Taught, sources: Sequence[Mapping[str, Any]]) -> str:
    """The card as Markdown; whatever the user typed is escaped.

    Args:
        manifest: of the bundle.
        taught: the score.
        sources: whom the trunk's data is owed to: title, authors, licence of each.
    """
    parts = [f"# {plain(taught.title)}"]
    for language in ("vi", "en"):
        parts += _half(manifest, taught, sources, language)
    return "\n\n".join(parts) + "\n"


def plain(text: object) -> str:
    """One line in which nothing is markup."""
    spaced = "".join(" " if unicodedata.category(char)[0] in "CZ" else char for char in str(text))
    line = " ".join(spaced.split())
    swaps = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
    return "".join(swaps.get(char, f"\\{char}" if char in _MARKUP else char) for char in line)


def _owed(value: object) -> str:
    return plain(", ".join(map(str, value)) if isinstance(value, list | tuple) else value)


def _half(
    manifest: BundleManifest, taught: Taught, sources: Sequence[Mapping[str, Any]], language: Language
) -> list[str]:
    text = TEXT[language]
    domain = str(manifest.provenance.get("domain"))
    target = next(iter(manifest.targets.values()))
    limit = target.calibration.abstain_below
    sure = [text["scope"]] + ([] if limit is None else [text["limit"].format(limit=_number(limit, language))])
    lines = [
        f"{text['accuracy']}: **{_metric(taught.accuracy, language)}**",
        f"{text['balanced']}: {_metric(taught.balanced_accuracy, language)}",
        f"{text['guessing']}: {_number(taught.guessing, language)}",
    ]
    licences = manifest.licences
    owed = [", ".join(_owed(one[key]) for key in _OWED if one.get(key)) for one in sources]
    notice = NOTICES.get(domain, {}).get(language)
    parts = [
        f"## {text['language']}",
        *([f"> {notice}"] if notice else []),
        text["what"].format(n=taught.n, groups=taught.n_groups),
        f"### {text['score']}",
        plain(taught.verdict.text(language)),
        _bullets(lines),
        text["how"],
        _table(text["head"], [_row(one, language) for one in taught.rows]),
        f"### {text['warnings']}",
        _bullets(plain(note.text(language)) for note in taught.warnings),
        f"### {text['sure']}",
        _bullets(sure),
        f"### {text['trunk']}",
        text["from"].format(trunk=plain(taught.trunk)),
        f"### {text['licences']}",
        _bullets([licences.code, licences.weights, *map(plain, licences.training_data), *owed]),
        f"### {text['use']}",
        f'```python\nimport vnvision as vv\n\nvv.load_bundle("{manifest.name}").predict("photo.jpg")\n```',
    ]
    return [part for part in parts if part]


def _row(row: ClassRow, language: Language) -> list[str]:
    figures = [_metric(row.recall, language), _metric(row.precision, language)]
    return [plain(row.label.vi), plain(row.label.id), str(row.photos), str(row.distinct), *figures]


def _metric(one: Metric, language: Language) -> str:
    if one.value is None:
        return "–"
    mark = "; " if language == "vi" else ", "
    ends = [_number(end, language) for end in (one.low, one.high) if end is not None]
    return _number(one.value, language) + (f" [{mark.join(ends)}]" if ends else "")


def _number(value: float, language: Language) -> str:
    text = f"{value:.3f}"
    return text.replace(".", ",") if language == "vi" else text


def _bullets(lines: Any) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _table(head: str, rows: Sequence[Sequence[str]]) -> str:
    rule = "|" + " --- |" * (head.count("|") + 1)
    return "\n".join([f"| {head} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])
