"""From a training run to a bundle: its best network, its calibration, its report, its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.atomic import sha256_file
from vnvision.data.manifest import Manifest
from vnvision.errors import ModelError
from vnvision.export.bundle import export_bundle
from vnvision.export.field import N_CALIBRATION, FieldPictures
from vnvision.export.golden import golden_images
from vnvision.models.weights import OFFLINE
from vnvision.records import Calibration, EvalReport, Licences
from vnvision.train.checkpoint import read_state
from vnvision.train.packed import open_data
from vnvision.train.predictor import load_run

N_GOLDEN = 8


def export_run(
    run: Path,
    out: Path,
    *,
    targets: tuple[str, ...],
    calibration: Path | None = None,
    n_calibration: int = N_CALIBRATION,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Write the bundle of a run's best checkpoint.

    Golden pictures of a synthetic set are its own; of any other set they are drawn patterns, since a
    bundle must not carry somebody's picture along.

    Args:
        run: a finished run folder.
        out: bundle folder.
        targets: see ``vnvision.export.targets.chosen_targets``.
        calibration: a manifest; what 8-bit ranges are measured on (training rows) and reduced targets judged
            on (validation rows).
        n_calibration: how many pictures ranges are measured on, at most.
        overwrite: replace an existing bundle.
        **options: ``half``, ``int8``, ``chip``, ``max_drop``, ``skip_refused``, ``sign`` of
            ``export_bundle``.

    Raises:
        ModelError: the run is not finished, or its scope gate was changed.
        ExportError: a target disagrees with the network; nothing of it is left.
    """
    predictor = load_run(run)
    if not (run / "report.json").is_file():
        raise ModelError(
            f"{run} is not finished", fix="resume it: vnvision train CONFIG output=DIR resume=true"
        )
    report = EvalReport.load(run / "report.json", error=ModelError)
    embedding = predictor.config.get("embedding")
    column = embedding["identity"] if embedding else "identity"
    manifest = open_data(predictor.config["data"], identity=column)
    synthetic = is_synthetic(manifest)
    pictures = None
    if calibration is not None:
        pictures = FieldPictures.read(calibration, predictor.task.preprocess, n=n_calibration)
    export_bundle(
        predictor.net,
        predictor.task,
        out,
        name=predictor.name,
        targets=targets,
        golden_images=golden_images(manifest, predictor.task.preprocess, N_GOLDEN, synthetic=not synthetic),
        calibration=predictor.calibration,
        operating_points=report.operating_points,
        report=report,
        licences=licences(predictor.config, manifest),
        provenance=provenance(run, predictor.config),
        synthetic=synthetic,
        overwrite=overwrite,
        files=_further_files(run, predictor.calibration, synthetic),
        pictures=pictures,
        time_it=True,
        **options,
    )
    return out


def _further_files(run: Path, calibration: Calibration, synthetic: bool) -> dict[str, Path]:
    """What travels besides: the scope gate, and a page of pictures only where they are drawn ones."""
    files = {"report.html": run / "report.html"} if synthetic else {}
    if calibration.scope_file is None:
        return files
    gate = run / calibration.scope_file
    if not gate.is_file() or sha256_file(gate) != calibration.scope_sha256:
        raise ModelError(f"{gate} is missing or was changed", fix="train again, or resume the run")
    return files | {calibration.scope_file: gate}


def is_synthetic(manifest: Manifest) -> bool:
    """Every row says it was drawn."""
    return all("synthetic" in (row.source or "") for row in manifest.rows)


def licences(config: dict[str, Any], manifest: Manifest) -> Licences:
    """Of code, starting weights and training data, as far as they were stated."""
    weights = OFFLINE[config["backbone"]].licence if config["weights"] == "offline" else "not stated"
    if config["weights"] == "none":
        weights = "Apache-2.0"
    data = sorted({row.licence or "not stated" for row in manifest.rows})
    return Licences(weights=weights, training_data=tuple(data))


def provenance(run: Path, config: dict[str, Any]) -> dict[str, Any]:
    """What made this model: commit, configuration, data, machine."""
    state = read_state(run)
    return {
        "domain": config["domain"],
        "backbone": config["backbone"],
        "starting_weights": config["weights"],
        "config": {key: value for key, value in config.items() if key not in ("data", "output")},
        "manifest_sha256": state["manifest"]["sha256"],
        "commit": state["commit"],
        "versions": state["versions"],
        "hardware": state["hardware"],
        "train_seconds": round(state["progress"]["seconds"], 1),
    }
