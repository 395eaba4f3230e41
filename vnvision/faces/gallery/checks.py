"""Arguments are checked once, at the edge, and answered in one line."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np

from vnvision.errors import ConfigError, DataError
from vnvision.faces.gallery.people import Consent

NORM_TOLERANCE = 1e-3
_SHA256 = re.compile(r"[0-9a-f]{64}")


def unit_embeddings(embeddings: np.ndarray, dim: int, what: str = "embeddings") -> np.ndarray:
    """Embeddings (N, D) as contiguous float32.

    Raises:
        DataError: not a 2-D floating array of ``dim`` columns, not finite, or a row whose Euclidean norm
            differs from 1 by more than 0.001.
    """
    array = np.asarray(embeddings)
    if array.ndim != 2 or array.shape[1] != dim:
        raise DataError(
            f"{what} have the wrong shape",
            expected=f"(N, {dim})",
            got=str(array.shape),
            fix="one row a photo, from the model this gallery was made with",
        )
    if not np.issubdtype(array.dtype, np.floating):
        raise DataError(
            f"{what} have the wrong type", expected="float32", got=str(array.dtype), fix="pass raw embeddings"
        )
    array = np.ascontiguousarray(array, dtype=np.float32)
    broken = np.flatnonzero(~np.isfinite(array).all(axis=1))
    if broken.size:
        raise DataError(
            f"{what} row {broken[0]} is not finite",
            expected="finite numbers",
            got="NaN or infinity",
            fix="leave this photo out: the model failed on it",
        )
    norms = np.linalg.norm(array.astype(np.float64), axis=1)
    off = np.flatnonzero(np.abs(norms - 1.0) > NORM_TOLERANCE)
    if off.size:
        raise DataError(
            f"{what} row {off[0]} is not unit-norm",
            expected="length 1",
            got=f"{norms[off[0]]:.6g}",
            fix="divide each row by its Euclidean norm",
        )
    return array


def words(value: str, what: str) -> str:
    """Text stripped and in Unicode NFC: one Vietnamese name has one spelling in bytes.

    Raises:
        ConfigError: the text is empty or no text.
    """
    if not isinstance(value, str) or not value.strip():
        raise ConfigError(f"{what} is empty", expected="some text", got=repr(value), fix=f"give {what}")
    return unicodedata.normalize("NFC", value.strip())


def consent_record(value: Consent) -> Consent:
    """The consent itself; anything else is a ConfigError."""
    if not isinstance(value, Consent):
        raise ConfigError(
            "consent is of the wrong type",
            expected="vnvision.faces.gallery.Consent",
            got=type(value).__name__,
            fix="say who agreed, when, and to which words",
        )
    return value


def utc(value: datetime, what: str) -> datetime:
    """A time in UTC.

    Raises:
        ConfigError: no datetime, or one without a time zone.
    """
    if not isinstance(value, datetime) or value.utcoffset() is None:
        raise ConfigError(
            f"{what} needs a time zone",
            expected="an aware datetime",
            got=repr(value),
            fix="use datetime(..., tzinfo=UTC)",
        )
    return value.astimezone(UTC)


def future_second(expires: datetime, now: datetime) -> int:
    """An expiry as whole seconds since 1970 UTC, rounded down.

    Raises:
        ConfigError: no time zone, or not after ``now``.
    """
    moment = utc(expires, "expires")
    if moment <= now:
        raise ConfigError(
            "expires is in the past",
            expected=f"after {now.isoformat(timespec='seconds')}",
            got=moment.isoformat(timespec="seconds"),
            fix="give the day on which the consent ends",
        )
    return math.floor(moment.timestamp())


def photo_digests(digests: Sequence[str], count: int) -> tuple[str, ...]:
    """Hex SHA-256 of ``count`` photos, in lower case.

    Raises:
        DataError: another number of digests, or one that is no SHA-256.
    """
    found = tuple(str(digest).lower() for digest in digests)
    if len(found) != count:
        raise DataError(
            "digests and embeddings differ in number",
            expected=str(count),
            got=str(len(found)),
            fix="give one digest a row",
        )
    for digest in found:
        if not _SHA256.fullmatch(digest):
            raise DataError(
                "a photo digest is no SHA-256",
                expected="64 hex digits",
                got=repr(digest[:80]),
                fix="hash the photo file's bytes",
            )
    return found


def cosine_threshold(threshold: float) -> float:
    """A finite threshold in [-1, 1]; anything else is a ConfigError."""
    value = float(threshold)
    if not -1.0 <= value <= 1.0:
        raise ConfigError(
            "threshold is no cosine",
            expected="-1 to 1",
            got=str(threshold),
            fix="take the threshold of the model's operating point",
        )
    return value


def positive(value: int, what: str) -> int:
    """A whole number of 1 or more; anything else is a ConfigError."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ConfigError(f"{what} is wrong", expected="a whole number of 1 or more", got=repr(value))
    return int(value)
