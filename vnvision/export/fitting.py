"""Model size as a choice: of several trained runs the best one that fits the device."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from vnvision.errors import ConfigError, ExportError
from vnvision.export.lean import kept
from vnvision.export.run import export_run
from vnvision.export.targets import chosen_targets
from vnvision.records import BundleManifest
from vnvision.runtime.publish import check_free, put_in_place
from vnvision.runtime.target import size_bytes
from vnvision.train.checkpoint import read_state


class Measured(NamedTuple):
    """What a candidate costs.

    Attributes:
        run: its run folder.
        score: its best validation score, by which runs of one task are ranked.
        target: which of its targets.
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
        targets: what is asked for; the canonical ``onnx`` has to fit only where it is, and stays.
        max_ms: one picture in its engine, milliseconds.
        max_mb: files of one target, megabytes.
        overwrite: replace an existing bundle.
        **options: of ``export_run``.

    Raises:
        ConfigError: a limit that is not above 0, or runs of different tasks.
        ExportError: none fits; what each would cost is said, or why it cannot be made.
    """
    for name, limit in (("max_ms", max_ms), ("max_mb", max_mb)):
        if limit is not None and not limit > 0:
            raise ConfigError(f"{name} is wrong", expected="above 0", got=str(limit))
    check_free(out, overwrite=overwrite)
    ranked = _ranked(runs)
    precision: dict[str, Any] = {key: options[key] for key in ("half", "int8", "chip") if key in options}
    asked = _asked(targets, precision, lean=bool(options.get("lean")))
    out.parent.mkdir(parents=True, exist_ok=True)
    tried = []
    for run, score in ranked:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.", suffix=".try") as scratch:
            try:
                bundle = export_run(run, Path(scratch) / "bundle", targets=tuple(targets), **options)
            except ExportError as exc:
                tried.append(f"{run.name}: {exc}")
                continue
            found = _measured(bundle, run, score)
            tried += [_said(found[key]) for key in asked if key in found]
            tried += [f"{run.name} as {key} was refused" for key in asked if key not in found]
            if all(key in found and found[key].fits(max_ms, max_mb) for key in asked):
                check_free(out, overwrite=overwrite)
                put_in_place(bundle, out)
                return out
    raise ExportError(
        "no trained size fits",
        expected=" and ".join(_limits(max_ms, max_mb)),
        got="; ".join(tried),
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


def _asked(targets: Sequence[str], precision: Mapping[str, Any], *, lean: bool) -> list[str]:
    """The targets that have to fit: the canonical ONNX only where it was named and is not left out."""
    names = list(chosen_targets(targets, **precision))
    if lean:
        return kept(names)
    named = "onnx" in targets and not any(precision.get(key) for key in ("half", "int8"))
    return names if named or len(names) == 1 else names[1:]


def _measured(bundle: Path, run: Path, score: float) -> dict[str, Measured]:
    """What each target of a bundle costs."""
    records = BundleManifest.load(bundle / "manifest.json").targets
    return {
        key: Measured(run, score, key, record.p50_ms, size_bytes(bundle, record) / 1e6)
        for key, record in records.items()
    }


def _limits(max_ms: float | None, max_mb: float | None) -> list[str]:
    parts = [] if max_ms is None else [f"at most {max_ms:g} ms a picture"]
    return parts + ([] if max_mb is None else [f"at most {max_mb:g} MB"])


def _said(one: Measured) -> str:
    time = "time not measured here" if one.ms is None else f"{one.ms:.1f} ms"
    return f"{one.run.name} as {one.target} {time}, {one.mb:.1f} MB (validation score {one.score:.3f})"
