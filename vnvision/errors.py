"""Typed errors: every failure a user can cause is one of these, and reads as one line."""

from __future__ import annotations


class VnvisionError(Exception):
    """Base of all vnvision errors.

    Args:
        problem: what is wrong, naming the file, row or key.
        expected: what would have been right.
        got: what was there instead.
        fix: what the user can do now.
        vietnamese: the same line in Vietnamese, where users of clinic, farm or camera meet the error.

    The text is one line: ``problem: expected ..., got ...; fix``.
    """

    def __init__(
        self,
        problem: str,
        *,
        expected: str | None = None,
        got: str | None = None,
        fix: str | None = None,
        vietnamese: str | None = None,
    ) -> None:
        self.problem = problem
        self.expected = expected
        self.got = got
        self.fix = fix
        self.vietnamese = vietnamese
        super().__init__(self._line())

    def in_both(self) -> str:
        """The English line and, where there is one, the Vietnamese: ``English | Tiếng Việt``."""
        return f"{self} | {' '.join(self.vietnamese.split())}" if self.vietnamese else str(self)

    def _line(self) -> str:
        facts = [f"expected {self.expected}"] if self.expected is not None else []
        facts += [f"got {self.got}"] if self.got is not None else []
        line = self.problem + (": " + ", ".join(facts) if facts else "")
        line += f"; {self.fix}" if self.fix else ""
        return " ".join(line.split())


class ConfigError(VnvisionError):
    """A configuration, option or argument is wrong."""


class DataError(VnvisionError):
    """An image, a manifest or a data folder is wrong."""


class ModelError(VnvisionError):
    """A model, its weights or a checkpoint is wrong."""


class BundleError(VnvisionError):
    """A bundle is incomplete, damaged or not what its manifest says."""


class ExportError(VnvisionError):
    """A target could not be written, or disagrees with the original model."""


class MissingExtraError(VnvisionError):
    """An optional package is not installed.

    Args:
        package: the package that could not be imported.
        extra: the vnvision extra that brings it.
    """

    def __init__(self, package: str, extra: str) -> None:
        self.package = package
        self.extra = extra
        command = f"pip install 'vnvision[{extra}]'"
        super().__init__(
            f"{package} is not installed",
            fix=f"install it with: {command}",
            vietnamese=f"chưa cài {package}; hãy cài bằng lệnh: {command}",
        )
