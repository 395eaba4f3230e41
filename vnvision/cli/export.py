"""``vnvision export RUN --target T --out DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from vnvision.records import BundleManifest, TargetRecord

_TARGETS = (
    "onnx, openvino, ncnn, mnn, litert (tflite), executorch, torch (pt2), coreml, rknn with --chip; or one "
    "precision by name, such as openvino-int8; may be repeated"
)


def export(
    run: Annotated[
        list[Path], typer.Argument(help="run folder; of several the best one within --max-ms and --max-mb")
    ],
    target: Annotated[list[str] | None, typer.Option("--target", "--format", help=_TARGETS)] = None,
    out: Annotated[Path | None, typer.Option(help="bundle folder; default RUN/bundle")] = None,
    half: Annotated[bool, typer.Option(help="half precision, of targets named without one")] = False,
    int8: Annotated[bool, typer.Option(help="8-bit integers; needs --calibration")] = False,
    calibration: Annotated[
        Path | None,
        typer.Option("--calibration", "--data", help="manifest; train rows are measured, val rows judged"),
    ] = None,
    n_calibration: Annotated[int, typer.Option(help="pictures that 8-bit ranges are measured on")] = 256,
    chip: Annotated[
        str | None, typer.Option("--chip", "--name", help="of rknn: rk3588, rk3566, rv1106")
    ] = None,
    max_drop: Annotated[float, typer.Option(help="how far accuracy, TAR, Dice or mAP may fall, 0..1")] = 0.02,
    max_ms: Annotated[
        float | None, typer.Option(help="milliseconds a picture may take in its engine on this machine")
    ] = None,
    max_mb: Annotated[float | None, typer.Option(help="megabytes one target may weigh")] = None,
    skip_refused: Annotated[bool, typer.Option(help="leave refused targets out, and say so")] = False,
    kit: Annotated[
        str | None,
        typer.Option(metavar="TARGET", help="write the integrator's kit to OUT-kit-TARGET as well"),
    ] = None,
    card: Annotated[
        str | None, typer.Option(help="the model's card, where its configuration names none")
    ] = None,
    lean: Annotated[
        bool, typer.Option(help="for shipping: without the float original, with one golden picture")
    ] = False,
    sign: Annotated[
        Path | None, typer.Option(metavar="KEY", help="private key file, see vnvision models key")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="replace an existing bundle")] = False,
) -> None:
    """Write a bundle whose every target was proven equal to the trained model."""
    from vnvision import api
    from vnvision.records import BundleManifest

    wanted = list(target or ("onnx", "openvino"))
    if kit is not None:
        _check_kit(kit, wanted, lean=lean, half=half, int8=int8, chip=chip)
    limits = {"max_ms": max_ms, "max_mb": max_mb}
    bundle = api.export(
        run,
        targets=wanted,
        half=half,
        int8=int8,
        calibration=calibration,
        n_calibration=n_calibration,
        chip=chip,
        max_drop=max_drop,
        skip_refused=skip_refused,
        card=card,
        lean=lean,
        sign=sign,
        out=out,
        overwrite=overwrite,
        **{name: limit for name, limit in limits.items() if limit is not None},
    )
    manifest = BundleManifest.load(bundle / "manifest.json")
    _show(bundle, manifest)
    if kit is not None:
        from vnvision.export.kits import write_kit

        print(f"kit     {write_kit(bundle, kit, bundle.with_name(f'{bundle.name}-kit-{kit}'))}")
    if manifest.provenance.get("refused"):
        raise typer.Exit(1)


def _check_kit(kit: str, wanted: list[str], *, lean: bool, **options: Any) -> None:
    """Refuse a kit of a target that is not being made, before the work and not after it."""
    from vnvision.errors import ConfigError
    from vnvision.export.lean import kept
    from vnvision.export.targets import chosen_targets

    made = list(chosen_targets(wanted, **options))
    if lean:
        made = kept(made)
    if kit not in made:
        raise ConfigError(f"there will be no target {kit!r} to make a kit of", expected=" or ".join(made))


def _show(bundle: Path, manifest: BundleManifest) -> None:
    """What was written, a line a target, and what was refused."""
    from vnvision.runtime.target import size_bytes

    print(f"bundle  {bundle}")
    for name, record in manifest.targets.items():
        print(
            f"  {name:<22}{record.precision:<14}{size_bytes(bundle, record) / 1e6:>7.2f} MB  {_proof(record)}"
        )
    for name, reason in manifest.provenance.get("refused", {}).items():
        print(f"  {name:<22}refused: {reason}")


def _proof(record: TargetRecord) -> str:
    """Time, largest difference, and what reduced numbers cost."""
    words = [] if record.p50_ms is None else [f"{record.p50_ms:.2f} ms"]
    words.append(f"relative difference {record.parity.get('max_relative', float('nan')):.2g}")
    judged = record.judged
    if judged is not None and judged.change.value is not None:
        low, high = judged.change.low, judged.change.high
        interval = "" if low is None or high is None else f" [{low:+.4f}, {high:+.4f}]"
        words.append(f"{judged.metric} {judged.change.value:+.4f}{interval} on {judged.n} pictures")
    return ", ".join(words)
