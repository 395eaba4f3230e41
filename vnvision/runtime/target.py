"""Which of a bundle's files to run, and which preprocessing is left to do for it."""

from __future__ import annotations

from vnvision.engines import ENGINES, available_engines
from vnvision.errors import BundleError, ConfigError
from vnvision.records import TargetRecord
from vnvision.runtime.bundle import Bundle
from vnvision.spec import PreprocessSpec


def choose_target(bundle: Bundle, engine: str = "auto", target: str | None = None) -> str:
    """The name of the target to load.

    Args:
        bundle: a verified bundle.
        engine: an engine's name, or ``auto`` for the first installed one that has a target.
        target: a target's name; it decides, and ``engine`` must agree with it.

    Raises:
        ConfigError: no such engine or target, or the two disagree.
        BundleError: the bundle has no target for it.
    """
    targets, name = bundle.manifest.targets, bundle.manifest.name
    if engine != "auto" and engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", expected=", ".join(("auto", *ENGINES)))
    if target is not None and target not in targets:
        raise ConfigError(f"bundle {name} has no target {target!r}", expected=", ".join(targets) or "none")
    allowed = {target: targets[target]} if target is not None else targets
    wanted = available_engines() if engine == "auto" and target is None else ENGINES
    for candidate in wanted if engine == "auto" else (engine,):
        for key, record in allowed.items():
            if record.engine == candidate:
                return key
    got = ", ".join(f"{key} ({record.engine})" for key, record in allowed.items()) or "no target"
    if target is not None and engine != "auto":
        raise ConfigError(f"target {target!r} is not for {engine}", got=got)
    raise BundleError(
        f"bundle {name} has no file that can run here",
        expected=" or ".join(wanted) if engine == "auto" else engine,
        got=got,
        fix="export it for one of these engines, or install an engine",
    )


def remaining_preprocess(spec: PreprocessSpec, record: TargetRecord) -> PreprocessSpec:
    """The preprocessing to do outside the file.

    A converter that took in range and normalisation leaves levels as they are, only as float32.

    Raises:
        BundleError: the file took in something else, which this runtime does not know how to leave out.
    """
    took = set(record.converter_took)
    if not took:
        return spec
    if took != {"range", "normalise"}:
        raise BundleError(
            f"{record.file} took in preprocessing that {record.engine} cannot leave out",
            expected="nothing, or range and normalise",
            got=", ".join(sorted(took)),
        )
    zeros, ones = (0.0,) * spec.channels, (1.0,) * spec.channels
    return spec.model_copy(update={"input_range": (0.0, 1.0), "mean": zeros, "std": ones})
