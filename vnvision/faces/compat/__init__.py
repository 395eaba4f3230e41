"""Calls as users of InsightFace and DeepFace know them, answered by ``FaceEngine``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from vnvision.errors import ConfigError
from vnvision.faces.pictures import Picture


def from_bgr(picture: Picture) -> Picture:
    """Both libraries take arrays as OpenCV reads them, blue first: turned to RGB here and nowhere else."""
    if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] not in (3, 4):
        return picture
    order = [2, 1, 0, 3][: picture.shape[2]]
    return np.ascontiguousarray(picture[:, :, order])


def refuse(call: str, given: Mapping[str, Any], accepted: Mapping[str, tuple[Any, ...]]) -> None:
    """Arguments of the other library that vnvision cannot follow are errors, all of them listed.

    Args:
        call: name of the call.
        given: what the caller passed besides.
        accepted: by argument the values that change nothing here.

    Raises:
        ConfigError: an unknown argument, or another value.
    """
    unknown = [name for name in given if name not in accepted]
    wrong = [name for name in given if name not in unknown and given[name] not in accepted[name]]
    if unknown or wrong:
        got = [f"{name} (unknown)" for name in unknown] + [f"{name}={given[name]!r}" for name in wrong]
        expected = "; ".join(f"{name} {' or '.join(map(repr, accepted[name]))}" for name in wrong)
        raise ConfigError(f"{call} cannot follow this here", expected=expected or None, got=", ".join(got))
