"""From a training run to a bundle: its best network, its calibration, its report, its provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vnvision.atomic import sha256_file
from vnvision.data.manifest import Manifest
from vnvision.errors import ModelError
from vnvision.evaluate import evaluate
from vnvision.export.bundle import export_bundle
from vnvision.export.field import N_CALIBRATION, FieldPictures
from vnvision.export.golden import golden_images
from vnvision.export.lean import Measure
from vnvision.export.provenance import LOOKS, licences, portable_report, provenance
from vnvision.hub.cards import card as find_card
from vnvision.records import Calibration, EvalReport
from vnvision.runtime import Predictor
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
    card: str | None = None,
    looks: Path = LOOKS,
    overwrite: bool = False,
    lean: bool = False,
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
        card: the model's card, of ``vnvision.hub.cards``; default: the one its configuration names. A model
            with a card has the card's name.
        looks: the count of looks at test splits, for models with a card.
        overwrite: replace an existing bundle.
        lean: for shipping, see ``export_bundle``; the report is then of the file that ships, measured again
            on the rows that the run was reported on.
        **options: ``half``, ``int8``, ``chip``, ``max_drop``, ``skip_refused``, ``sign`` of
            ``export_bundle``.

    Raises:
        ModelError: the run is not finished, or its scope gate was changed.
        ConfigError: there is no such card.
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
    about = predictor.config.get("card") if card is None else card
    own = None if about is None else find_card(about)
    pictures = None
    if calibration is not None:
        pictures = FieldPictures.read(calibration, predictor.task.preprocess, n=n_calibration)
    export_bundle(
        predictor.net,
        predictor.task,
        out,
        name=predictor.name if own is None else own.name,
        targets=targets,
        golden_images=golden_images(manifest, predictor.task.preprocess, N_GOLDEN, synthetic=not synthetic),
        calibration=predictor.calibration,
        operating_points=report.operating_points,
        report=portable_report(report),
        licences=licences(predictor.config, manifest, own),
        provenance=provenance(run, predictor.config, own, looks if looks.is_file() else None),
        synthetic=synthetic,
        overwrite=overwrite,
        files=_further_files(run, predictor.calibration, page=synthetic and not lean),
        pictures=pictures,
        time_it=True,
        lean=lean,
        measure=_again(report, manifest, predictor.config) if lean else None,
        **options,
    )
    return out


def _again(report: EvalReport, manifest: Manifest, config: dict[str, Any]) -> Measure | None:
    """The run's evaluation, of another model; None where the run was not reported on a test split."""
    if report.split != config.get("test_split") or config.get("embedding") is not None:
        return None

    def measure(predictor: Predictor) -> EvalReport:
        found = evaluate(predictor, manifest, report.split, n_boot=config["n_boot"], model=dict(report.model))
        return portable_report(found)

    return measure


def _further_files(run: Path, calibration: Calibration, page: bool) -> dict[str, Path]:
    """What travels besides: the scope gate, and the run's page, whose pictures have to be drawn ones."""
    files = {"report.html": run / "report.html"} if page else {}
    if calibration.scope_file is None:
        return files
    gate = run / calibration.scope_file
    if not gate.is_file() or sha256_file(gate) != calibration.scope_sha256:
        raise ModelError(f"{gate} is missing or was changed", fix="train again, or resume the run")
    return files | {calibration.scope_file: gate}


def is_synthetic(manifest: Manifest) -> bool:
    """Every row says it was drawn."""
    return all("synthetic" in (row.source or "") for row in manifest.rows)
