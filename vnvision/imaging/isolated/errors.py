"""What can go wrong in the decoder process, as one line a file."""

from __future__ import annotations

from typing import Literal, Self

from vnvision.errors import DataError

Kind = Literal["crash", "memory", "time", "untyped", "protocol"]


class DecoderError(DataError):
    """A file that broke the decoder process, or went over its limits.

    Attributes:
        kind: ``crash`` (the process died), ``memory`` or ``time`` (over the limit), ``untyped`` (the decoder
            failed with an error nobody foresaw: a fault of ours), ``protocol`` (its answer made no sense).
        detail: the signal, the exception's class or the limit.
    """

    def __init__(self, name: str, kind: Kind, detail: str, vietnamese_detail: str | None = None) -> None:
        self.kind: Kind = kind
        self.detail = detail
        problem, expected, fault, (fix, remedy) = _TEXTS[kind]
        super().__init__(
            f"{name} {problem}",
            expected=expected,
            got=detail,
            fix=fix,
            vietnamese=f"{name}: {fault} ({vietnamese_detail or detail}); {remedy}",
        )

    @classmethod
    def memory(cls, name: str, limit_bytes: int) -> Self:
        """Over the memory limit."""
        limit = f"{limit_bytes // 2**20:,}"
        return cls(name, "memory", f"more than {limit} MB", f"hơn {limit.replace(',', '.')} MB")

    @classmethod
    def time(cls, name: str, seconds: float) -> Self:
        """Over the time limit."""
        limit = f"{seconds:g}"
        return cls(name, "time", f"more than {limit} s", f"hơn {limit.replace('.', ',')} giây")


_RESAVE = (
    "save it again as PNG or JPEG, or leave it out",
    "hãy lưu lại dưới dạng PNG hoặc JPEG, hoặc bỏ tệp này",
)
_SHRINK = ("shrink it, or leave it out", "hãy thu nhỏ ảnh, hoặc bỏ tệp này")
_TEXTS: dict[Kind, tuple[str, str, str, tuple[str, str]]] = {
    "crash": (
        "cannot be read: the decoder crashed on it",
        "a sound image",
        "bộ giải mã dừng đột ngột khi đọc tệp này",
        _RESAVE,
    ),
    "memory": (
        "needs too much memory to decode",
        "an image that fits the decoder's memory limit",
        "cần quá nhiều bộ nhớ để giải mã",
        _SHRINK,
    ),
    "time": (
        "takes too long to decode",
        "an image that decodes within the time limit",
        "mất quá nhiều thời gian để giải mã",
        _SHRINK,
    ),
    "untyped": (
        "cannot be read: the decoder failed in an unforeseen way",
        "a sound image",
        "bộ giải mã gặp lỗi không lường trước",
        _RESAVE,
    ),
    "protocol": (
        "cannot be read: the decoder's answer made no sense",
        "an image",
        "bộ giải mã trả về kết quả không hợp lệ",
        _RESAVE,
    ),
}
