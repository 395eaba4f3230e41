"""Requests such as ``fmr=1e-4@korean``: read, written, and what is said where they cannot be met."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Sequence

from vnvision.errors import ConfigError
from vnvision.records import OperatingPoint

_REQUEST = re.compile(r"fmr=([0-9.eE+-]+)(?:@(.+))?")


def rate_name(rate: float) -> str:
    """``fmr=1e-4``: one text for one rate, however it was written."""
    mantissa, exponent = f"{rate:.5e}".split("e")
    return f"fmr={mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def parse_request(text: str) -> tuple[float, str | None]:
    """The rate and the population, if one is named.

    Raises:
        ConfigError: it is no request.
    """
    found = _REQUEST.fullmatch(text.strip())
    rate = float(found.group(1)) if found and is_number(found.group(1)) else math.nan
    if found is None or not 0 < rate < 1:
        raise ConfigError(
            "a threshold is wrong",
            expected="a cosine such as 0.42, or a rate such as fmr=1e-4 or fmr=1e-4@korean",
            got=text,
            vietnamese=f"ngưỡng {text!r} không hợp lệ; hãy viết một giá trị cosine như 0.42, hoặc tỷ lệ như "
            "fmr=1e-4 hay fmr=1e-4@korean",
        )
    return rate, found.group(2)


def is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def rate_of(point: OperatingPoint) -> float:
    """The false match rate that a point is for; NaN where it is for another kind of rate."""
    found = _REQUEST.fullmatch(point.target)
    return float(found.group(1)) if found else math.nan


def only_easy_ones(rate: float, fitting: Sequence[OperatingPoint], hardest: OperatingPoint) -> ConfigError:
    """A rate measured for some populations only, while another needs a higher threshold for a higher rate."""
    there = ", ".join(sorted(point.population for point in fitting))
    request = shlex.quote(f"{rate_name(rate)}@{fitting[0].population}")
    whom, measure = hardest.population, _command(rate, hardest.population)
    return ConfigError(
        f"{rate_name(rate)} was measured for {there} only, and for {whom} even {hardest.target} needs a "
        "higher threshold",
        fix=f"measure it for them too: {measure}, or say that only these are meant: --threshold {request}",
        vietnamese=f"{rate_name(rate)} mới chỉ được đo cho {there}, còn với {whom} thì ngay cả "
        f"{hardest.target} cũng cần ngưỡng cao hơn; hãy đo thêm: {measure}, hoặc nêu rõ chỉ dùng cho nhóm: "
        f"--threshold {request}",
    )


def _command(rate: float, population: str) -> str:
    name = shlex.quote(population)
    return f"vnvision face calibrate --data FOLDER --fmr {rate_name(rate)[4:]} --population {name}"


def not_calibrated(rate: float, population: str | None, known: Sequence[OperatingPoint]) -> ConfigError:
    """A rate that was never measured."""
    there = [p.target for p in known if population is None or p.population == population]
    rates = ", ".join(sorted(set(there))) or "none"
    command = _command(rate, population or "NAME")
    whom = f" for {population}" if population else ""
    return ConfigError(
        f"this model has no threshold for {rate_name(rate)}{whom}",
        expected=f"one of those measured: {rates}",
        fix=f"measure it on faces of the people it will see: {command}",
        vietnamese=f"mô hình chưa có ngưỡng {rate_name(rate)}{' cho ' + population if population else ''} "
        f"(đã đo: {rates}); hãy hiệu chuẩn trên khuôn mặt của nhóm người sử dụng: {command}",
    )


def unknown_population(name: str, rate: float, known: Sequence[OperatingPoint]) -> ConfigError:
    """A population that was never measured."""
    there = ", ".join(sorted({point.population for point in known})) or "none"
    command = _command(rate, name)
    return ConfigError(
        f"no threshold was measured for the population {name!r}",
        expected=f"one of {there}",
        fix=f"measure it: {command}",
        vietnamese=f"chưa đo ngưỡng cho nhóm người {name!r} (đã có: {there}); hãy đo bằng lệnh: {command}",
    )
