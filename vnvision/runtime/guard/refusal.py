"""The one line that a refused bundle gives, in English and Vietnamese."""

from __future__ import annotations

from pathlib import Path

from vnvision.errors import BundleError

FIX = "copy or export the bundle again"
_FIX_VI = "hãy chép hoặc xuất lại gói"


class UnfitError(ValueError):
    """What is wrong with one file, before it is known which one; becomes a ``BundleError``.

    Args:
        problem: goes behind the file's name, as in ``keeps weights outside itself``.
        expected: what would have been right.
        got: what was there instead.
    """

    def __init__(self, problem: str, *, expected: str | None = None, got: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.expected, self.got = problem, expected, got


def refused(
    root: Path,
    problem: str,
    vietnamese: str,
    *,
    expected: str | None = None,
    got: str | None = None,
    fix: str = FIX,
) -> BundleError:
    """``bundle ROOT PROBLEM``, and the same for a clinic's reader.

    Args:
        root: the bundle's folder.
        problem: what follows the folder, as in ``lacks model.onnx``.
        vietnamese: what follows ``gói mô hình ROOT``.
        expected: see ``VnvisionError``.
        got: see ``VnvisionError``; shortened, and made printable.
        fix: see ``VnvisionError``.
    """
    fix_vi = _FIX_VI if fix == FIX else None
    line = f"gói mô hình {root} {vietnamese}" + (f"; {fix_vi}" if fix_vi else "")
    return BundleError(
        f"bundle {shown(str(root))}{problem}"
        if problem.startswith(":")
        else f"bundle {shown(str(root))} {problem}",
        expected=expected,
        got=None if got is None else shown(got),
        fix=fix,
        vietnamese=shown(line),
    )


def unfit(root: Path, name: str, found: UnfitError) -> BundleError:
    """The refusal of one file for what it holds."""
    return refused(
        root,
        f": {shown(name)} {found.problem}",
        f"bị từ chối: tệp {name} có nội dung hỏng hoặc không an toàn",
        expected=found.expected,
        got=found.got,
    )


def shown(text: str, most: int = 200) -> str:
    """Text of a stranger for a terminal: control and direction characters escaped, not too long.

    >>> shown("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: most + 1])
    return safe if len(text) <= most else safe[:most] + "..."
