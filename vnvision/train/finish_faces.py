"""The end of a face run: thresholds from validation people, error rates on test people, two reports."""

from __future__ import annotations

import numpy as np

from vnvision.atomic import sha256_file
from vnvision.data.manifest import Manifest
from vnvision.errors import DataError
from vnvision.evaluate.faces import FaceReport
from vnvision.faces.calibrate import calibrate
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.models import StagedNet
from vnvision.records import Calibration, EvalReport, Metric, OperatingPoint
from vnvision.report.faces import write_face_report
from vnvision.tasks.embedding import compared, embedded
from vnvision.train.describe import describe
from vnvision.train.packed import cells, open_data, splits_of
from vnvision.train.predictor import RunPredictor
from vnvision.train.protocols import embed, read_crops
from vnvision.train.state import Run

FACE_REPORT = "faces.json"
_RATES = (1e-2, 1e-3, 1e-4, 1e-5)


def finish_faces(run: Run, predictor: RunPredictor) -> EvalReport:
    """Thresholds fitted on validation people; ``report.json``, ``faces.json`` and the pages on test people.

    Where there is no test split, the report is on the validation part and says so.
    """
    config = run.config
    assert config.embedding is not None
    net = StagedNet(predictor.net.to(run.device))
    val = _embedded(run, net, run.val.manifest)
    wanted = (config.embedding.group,) if config.embedding.group else ()
    manifest = open_data(config.data, wanted, identity=config.embedding.identity)
    has_test = config.test_split in splits_of(manifest)
    split = config.test_split if has_test and config.test_split else config.val_split
    faces = _embedded(run, net, manifest.split(split)) if has_test else val
    report = compared(
        faces,
        fmr=config.embedding.fmr,
        identity=config.embedding.identity,
        group=config.embedding.group,
        n_boot=config.n_boot,
        name=config.name,
    )
    summary = _summary(run, predictor, report, faces, split, _points(run, val), chosen_on=not has_test)
    if report is not None:
        write_face_report(report, run.folder)
        (run.folder / "report.json").replace(run.folder / FACE_REPORT)
    summary.save(run.folder / "report.json")
    figure = summary.metrics["tar"]
    if figure.value is not None:
        interval = f"[{figure.low}, {figure.high}]"
        run.log.say(f"{split}: TAR {figure.value:.4f} {interval} at FMR {config.embedding.fmr:g}")
    return summary


def _embedded(run: Run, net: StagedNet, manifest: Manifest) -> EmbeddedFaces:
    config = run.config.embedding
    assert config is not None
    wanted = {name for name in (config.identity, config.group) if name}
    digest = sha256_file(run.folder / "best" / "model.safetensors")
    coded = {name: cells(manifest, name) for name in wanted}
    columns = {name: tuple(column.text(i) for i in range(len(manifest))) for name, column in coded.items()}
    return embedded(
        embed(run, net, read_crops(manifest, run.preprocessor)),
        columns,
        paths=tuple(row.path for row in manifest.rows),
        manifest_sha256=manifest.sha256,
        model=f"{run.config.name}-{digest[:12]}:{run.spec.preprocess.fingerprint()}",
    )


def _points(run: Run, val: EmbeddedFaces) -> tuple[OperatingPoint, ...]:
    """Thresholds for the false match rates that the validation people are enough for."""
    if not val.paths:
        run.log.say("no thresholds: there is no validation split")
        return ()
    try:
        return calibrate(val, _RATES, population=f"validation split of {run.config.name}").points
    except DataError as exc:
        run.log.say(f"no thresholds: {exc}")
        return ()


def _summary(
    run: Run,
    predictor: RunPredictor,
    report: FaceReport | None,
    faces: EmbeddedFaces,
    split: str,
    points: tuple[OperatingPoint, ...],
    *,
    chosen_on: bool,
) -> EvalReport:
    config = run.config.embedding
    assert config is not None
    people = {name for name in faces.column(config.identity) if name}
    warnings = [] if report is None else list(report.warnings)
    if not faces.paths:
        warnings.insert(0, "nothing was measured: the data has neither a test nor a validation split")
    elif chosen_on:
        warnings.insert(
            0, "measured on validation data, on which the model was also chosen: expect less on new data"
        )
    return EvalReport(
        task=run.spec,
        split=split,
        n=len(faces.paths),
        n_groups=len(people),
        manifest_sha256=faces.manifest_sha256,
        metrics=_metrics(report, config.fmr),
        operating_points=points,
        calibration=Calibration(),
        model=describe(run, predictor),
        warnings=tuple(warnings),
    )


def _metrics(report: FaceReport | None, fmr: float) -> dict[str, Metric]:
    if report is None:
        return {"tar": Metric(value=None, n=0, note="nobody is shown twice, or one person only")}
    found = {f"tar_fmr{row.at.target:g}": row.tar for row in report.tar_at_fmr}
    at = next((row.tar for row in report.tar_at_fmr if np.isclose(row.at.target, fmr)), None)
    if at is None and report.operating is not None and report.operating.fnmr.value is not None:
        at = Metric(value=1.0 - report.operating.fnmr.value, n=report.n_genuine)
    metrics = {"tar": at or Metric(value=None, n=0), **found}
    if report.eer is not None:
        metrics["eer"] = Metric(value=report.eer.rate, n=report.n_genuine + report.n_impostor)
    return metrics
