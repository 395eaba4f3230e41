"""Model size as a choice: of several trained runs the best one that fits the device."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vnvision.errors import ConfigError, ExportError
from vnvision.export.publish import check_free
from vnvision.export.run import export_run
from vnvision.export.targets import chosen_targets
from vnvision.records import BundleManifest
from vnvision.train.checkpoint import read_state


class Measured(NamedTuple):
    """What a candidate costs.

    Attributes:
        run: its run folder.
        score: its best validation score, by which runs of one task are ranked.
        target: the target that costs most.
        ms: time of one picture in its engine, on this machine; None where it cannot be measured here.
        mb: megabytes of its files.
    """

    run: Path
    score: float
    target: str
    ms: float | None
    mb: float

    def fits(self, max_ms: float | None, max_mb: float | None) -> bool:
        """Whether it keeps both limits. A time that nobody measured keeps none."""
        in_time = max_ms is None or (self.ms is not None and self.ms <= max_ms)
        return in_time and (max_mb is None or self.mb <= max_mb)


def export_fitting(
    runs: Sequence[Path],
    out: Path,
    *,
    targets: Sequence[str],
    max_ms: float | None = None,
    max_mb: float | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Export the run with the best validation score whose every target keeps the limits.

    Times are of this machine: for a slower board ask for less, or run the kit's ``bench.py`` on it.

    Args:
        runs: finished runs of one task.
        out: bundle folder.
        targets: what is asked for; the canonical ``onnx`` has to fit only where it is.
        max_ms: one picture in its engine, milliseconds.
        max_mb: files of one target, megabytes.
        overwrite: replace an existing bundle.
        **options: of ``export_run``.

    Raises:
        ConfigError: a limit that is not above 0, or runs of different tasks.
        ExportError: none fits; what each would cost is said.
    """
    for name, limit in (("max_ms", max_ms), ("max_mb", max_mb)):
        if limit is not None and not limit > 0:
            raise ConfigError(f"{name} is wrong", expected="above 0", got=str(limit))
    check_free(out, overwrite=overwrite)
    ranked = _ranked(runs)
    precision: dict[str, Any] = {key: options[key] for key in ("half", "int8", "chip") if key in options}
    asked = _asked(targets, precision)
    out.parent.mkdir(parents=True, exist_ok=True)
    tried = []
    for run, score in ranked:
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".try"))
        try:
            bundle = export_run(run, scratch / "bundle", targets=tuple(targets), **options)
            found = [_measured(bundle, key, run, score) for key in asked if key in _targets(bundle)]
            tried += found
            if found and all(one.fits(max_ms, max_mb) for one in found):
                check_free(out, overwrite=overwrite)
                shutil.rmtree(out, ignore_errors=True)
                return bundle.rename(out)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    raise ExportError(
        "no trained size fits",
        expected=" and ".join(_limits(max_ms, max_mb)),
        got="; ".join(_said(one) for one in tried) or "no target",
        fix="train a smaller backbone or picture size, or export with --int8 or --half",
    )


def _ranked(runs: Sequence[Path]) -> list[tuple[Path, float]]:
    """Runs, the best validation score first."""
    states = [(Path(run), read_state(Path(run))) for run in runs]
    kinds = {(str(state["config"]["task"]), str(state["config"]["data"])) for _, state in states}
    if len(kinds) > 1:
        got = "; ".join(f"{task} on {data}" for task, data in sorted(kinds))
        raise ConfigError("the runs cannot be ranked", expected="one task and one manifest", got=got)
    scores = [(run, float(state["progress"]["best"][0])) for run, state in states]
    return sorted(scores, key=lambda item: -item[1])


def _asked(targets: Sequence[str], precision: Mapping[str, Any]) -> list[str]:
    """The targets that have to fit: the canonical ONNX only where it was named."""
    names = list(chosen_targets(targets, **precision))
    named = "onnx" in targets and not any(precision.get(key) for key in ("half", "int8"))
    return names if named or len(names) == 1 else names[1:]


def _targets(bundle: Path) -> Mapping[str, Any]:
    return BundleManifest.load(bundle / "manifest.json").targets


def _measured(bundle: Path, key: str, run: Path, score: float) -> Measured:
    record = BundleManifest.load(bundle / "manifest.json").targets[key]
    size = sum((bundle / name).stat().st_size for name in (record.file, *record.extra_files))
    return Measured(run, score, key, record.p50_ms, size / 1e6)


def _limits(max_ms: float | None, max_mb: float | None) -> list[str]:
    parts = [] if max_ms is None else [f"at most {max_ms:g} ms a picture"]
    return parts + ([] if max_mb is None else [f"at most {max_mb:g} MB"])


def _said(one: Measured) -> str:
    time = "time not measured here" if one.ms is None else f"{one.ms:.1f} ms"
    return f"{one.run.name} as {one.target} {time}, {one.mb:.1f} MB (validation score {one.score:.3f})"
