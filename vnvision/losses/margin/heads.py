"""Heads by name, for configurations."""

from __future__ import annotations

import inspect
from typing import Any

from vnvision.errors import ConfigError
from vnvision.losses.margin.adaface import AdaFace
from vnvision.losses.margin.amsoftmax import AMSoftmax
from vnvision.losses.margin.arcface import ArcFace
from vnvision.losses.margin.combined import CombinedMargin
from vnvision.losses.margin.cosface import CosFace
from vnvision.losses.margin.curricularface import CurricularFace
from vnvision.losses.margin.elasticface import ElasticFace
from vnvision.losses.margin.head import MarginHead
from vnvision.losses.margin.magface import MagFace
from vnvision.losses.margin.sphereface2 import SphereFace2
from vnvision.losses.margin.subcenter_arcface import SubCenterArcFace
from vnvision.losses.margin.uniface import UniFace

HEADS: dict[str, type[MarginHead]] = {
    "adaface": AdaFace,
    "amsoftmax": AMSoftmax,
    "arcface": ArcFace,
    "combined": CombinedMargin,
    "cosface": CosFace,
    "curricularface": CurricularFace,
    "elasticface": ElasticFace,
    "magface": MagFace,
    "sphereface2": SphereFace2,
    "subcenter_arcface": SubCenterArcFace,
    "uniface": UniFace,
}


def head_options(name: str) -> dict[str, Any]:
    """The options of a head and their defaults.

    Raises:
        ConfigError: if there is no such head.
    """
    if name not in HEADS:
        raise ConfigError("unknown margin head", expected=f"one of {', '.join(HEADS)}", got=repr(name))
    return {key: option.default for key, option in inspect.signature(HEADS[name]).parameters.items()}


def build_head(name: str, **options: Any) -> MarginHead:
    """A margin head by its name in `HEADS`.

    Args:
        name: the head.
        **options: its own options; all have defaults.

    Raises:
        ConfigError: if the head or an option does not exist (all unknown ones are named), or is out of range.
    """
    known = head_options(name)
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise ConfigError(
            f"unknown option of margin head {name}",
            expected=f"some of {', '.join(known)}",
            got=", ".join(unknown),
        )
    return HEADS[name](**options)
