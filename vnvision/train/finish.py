"""The end of a run: calibrate on validation data, measure on test data, write the report."""

from __future__ import annotations

import numpy as np

from vnvision.data.manifest import Manifest, read_manifest
from vnvision.evaluate import evaluate
from vnvision.evaluate.classification import evaluate_logits, fit_calibration
from vnvision.records import EvalReport
from vnvision.report import write_report
from vnvision.train.data import in_order, make_loader
from vnvision.train.inputs import evaluation_pictures
from vnvision.train.predictor import RunPredictor, load_run
from vnvision.train.state import Run


def finish(run: Run) -> EvalReport:
    """Temperature from the validation part, then ``report.json`` and ``report.html`` on the test split.

    Where there is no test split, or a fold is being validated, the report is on the validation part and
    says so: the model was chosen on it.
    """
    config = run.config
    predictor = load_run(run.folder)
    val = run.val.manifest
    logits = _logits(predictor, run)
    calibration = fit_calibration(
        logits, run.val.raw, run.spec, fitted_on=config.val_split, manifest_sha256=val.sha256
    )
    model = describe(run, predictor)
    manifest, split = _test_part(run)
    if manifest is None:
        report = evaluate_logits(
            logits, val, run.spec, split=split, calibration=calibration, model=model, n_boot=config.n_boot
        )
        note = "measured on validation data, on which the model was also chosen: expect less on new data"
        report = report.model_copy(update={"warnings": (note, *report.warnings)})
    else:
        predictor.calibration = calibration
        report = evaluate(predictor, manifest, split, n_boot=config.n_boot, model=model)
    write_report(report, run.folder, image_root=val.root)
    figure = report.metrics["accuracy"]
    if figure.value is not None:
        run.log.say(
            f"{split}: accuracy {figure.value:.4f} [{figure.low}, {figure.high}] on {report.n} pictures"
        )
    return report


def describe(run: Run, predictor: RunPredictor) -> dict[str, object]:
    """The report's model block."""
    return {
        "name": run.config.name,
        "backbone": run.config.backbone,
        "weights": run.config.weights,
        "parameters": sum(p.numel() for p in predictor.net.parameters()),
        "domain": run.config.domain,
        "commit": run.facts["commit"],
        "run": run.folder.name,
        "train_seconds": round(run.seconds, 1),
    }


def _logits(predictor: RunPredictor, run: Run) -> np.ndarray:
    """Validation logits (N, D), through the deployed preprocessing."""
    pictures = evaluation_pictures(run, run.val)
    keys = in_order(len(pictures), 32)
    loader = make_loader(pictures, keys, workers=run.config.workers, table=run.preprocessor.table)
    return np.concatenate([predictor.forward(images.permute(0, 3, 1, 2)) for _, images in loader])


def _test_part(run: Run) -> tuple[Manifest | None, str]:
    config = run.config
    if config.folds is not None:
        return None, f"fold {config.fold} of {config.folds}"
    if config.test_split is None:
        return None, config.val_split
    manifest = read_manifest(config.data)
    names = {row.split for row in manifest.rows}
    return (manifest, config.test_split) if config.test_split in names else (None, config.val_split)
