"""The end of a run: calibrate on validation data, measure on test data, write the report."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from vnvision.atomic import sha256_file
from vnvision.data.manifest import Manifest, read_manifest
from vnvision.errors import DataError, ModelError
from vnvision.evaluate import evaluate, fit_thresholds
from vnvision.evaluate.classification import evaluate_logits, fit_calibration
from vnvision.evaluate.scope import fit_gate
from vnvision.records import Calibration, EvalReport
from vnvision.report import write_report
from vnvision.runtime.scope import SCOPE_FILE
from vnvision.train.data import in_order, make_loader
from vnvision.train.describe import describe
from vnvision.train.finish_faces import finish_faces
from vnvision.train.inputs import evaluation_pictures
from vnvision.train.predictor import RunPredictor, load_run
from vnvision.train.state import Run

HEADLINE = {"segmentation": "dice", "detection": "map50"}


def finish(run: Run) -> EvalReport:
    """What is fitted on the validation part, then ``report.json`` and ``report.html`` on the test split.

    Fitted are the temperature of a classifier and the score thresholds of a detector. Where there is no test
    split, or a fold is being validated, the report is on the validation part and says so: the model was
    chosen on it.
    """
    predictor = load_run(run.folder)
    if run.config.embedding is not None:
        return finish_faces(run, predictor)
    report = _dense_report(run, predictor) if run.config.dense else _class_report(run, predictor)
    write_report(report, run.folder, image_root=run.val.manifest.root)
    name = HEADLINE.get(run.spec.kind, "accuracy")
    figure = report.metrics[name]
    if figure.value is not None:
        text = f"{name} {figure.value:.4f} [{figure.low}, {figure.high}]"
        run.log.say(f"{report.split}: {text} on {report.n} pictures")
    return report


def _class_report(run: Run, predictor: RunPredictor) -> EvalReport:
    config, val = run.config, run.val.manifest
    logits = _logits(predictor, run)
    calibration = fit_calibration(
        logits,
        run.val.raw,
        run.spec,
        groups=val.group_keys(),
        risk=config.risk,
        fitted_on=config.val_split,
        manifest_sha256=val.sha256,
    )
    if config.scope:
        calibration = _with_scope(run, predictor, calibration)
    if config.lesions is not None:
        calibration = calibration.model_copy(update={"lesions": config.lesions})
    model = describe(run, predictor)
    manifest, split = _test_part(run)
    if manifest is None:
        report = evaluate_logits(
            logits, val, run.spec, split=split, calibration=calibration, model=model, n_boot=config.n_boot
        )
        return _chosen_on_it(report)
    predictor.calibration = calibration
    return evaluate(predictor, manifest, split, n_boot=config.n_boot, model=model)


def _with_scope(run: Run, predictor: RunPredictor, calibration: Calibration) -> Calibration:
    """Fit the scope gate on training and validation pictures, and leave it in the run folder."""
    augment = run.config.phase_augment(len(run.config.phases) - 1)
    try:
        gate = fit_gate(
            predictor,
            run.train.manifest,
            run.val.manifest,
            augment=augment,
            seed=run.config.seed,
            keep=run.config.scope_keep,
            most=run.config.scope_pictures,
            by_label=run.config.scope == "labels",
        )
    except (DataError, ModelError) as exc:
        run.log.say(f"no scope gate: {exc}")
        return calibration
    digest = sha256_file(gate.save(run.folder / SCOPE_FILE))
    return calibration.model_copy(update={"scope_file": SCOPE_FILE, "scope_sha256": digest})


def _dense_report(run: Run, predictor: RunPredictor) -> EvalReport:
    config, val = run.config, run.val.manifest
    if run.spec.boxes is not None:
        thresholds = fit_thresholds(predictor, val)
        boxes = run.spec.boxes.model_copy(update={"thresholds": thresholds})
        predictor.task = run.spec = run.spec.model_copy(update={"boxes": boxes})
        run.spec.save(run.folder / "best" / "spec.json")
    model = describe(run, predictor)
    manifest, split = _test_part(run)
    if manifest is None:
        rows = replace(val, rows=tuple(replace(row, split="val") for row in val.rows))
        report = evaluate(predictor, rows, "val", n_boot=config.n_boot, model=model)
        return _chosen_on_it(report.model_copy(update={"split": split}))
    return evaluate(predictor, manifest, split, n_boot=config.n_boot, model=model)


def _chosen_on_it(report: EvalReport) -> EvalReport:
    note = "measured on validation data, on which the model was also chosen: expect less on new data"
    return report.model_copy(update={"warnings": (note, *report.warnings)})


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
