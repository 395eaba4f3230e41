"""``write_results``: everything is built and checked in memory, then written whole."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vnvision import atomic
from vnvision.clinic.results.records import KINDS, Kind, Language, ModelFacts, ResultFiles
from vnvision.errors import ConfigError, DataError, MissingExtraError
from vnvision.records import ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.spec import TaskSpec

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from vnvision.clinic.results.context import Answer, Context
    from vnvision.clinic.results.source import Source


def write_results(
    source_dicom: str | Path | bytes | Dataset,
    prediction: ClassPrediction | MaskPrediction | DetectionPrediction,
    *,
    out: str | Path,
    task: TaskSpec,
    model: ModelFacts,
    language: Language = "vi",
    kinds: Sequence[str] = KINDS,
    picture: np.ndarray | None = None,
    heatmap: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    probability: np.ndarray | None = None,
    frame: int = 1,
    character_set: str | None = None,
    uid_seed: str | None = None,
    when: datetime | None = None,
) -> ResultFiles:
    """Write a model's answer about one DICOM image as ``sr.dcm``, ``sc.dcm`` and ``seg.dcm``.

    The files join the source's study, each in a series of its own. Patient and study are the source's, as
    they are (a de-identified source stays de-identified). Every file says that it is for research. A model
    that abstains states no finding and no region; its reasons are in the report.

    Args:
        source_dicom: path, bytes or dataset of the image the answer is about. It is not changed.
        prediction: of that image, in its own pixels.
        out: folder, made if absent. It must hold none of the files asked for.
        task: whose answer it is; names the labels.
        model: who answered.
        language: of texts; codes are the same in both.
        kinds: which files: ``sr``, ``sc``, ``seg``.
        picture: (H, W, 1) or (H, W, 3), uint8 or uint16, to draw on; default: the source as
            ``imaging.dicom.read_dicom`` shows it.
        heatmap: (H, W) 0..1, where the most probable label of a classification was seen; drawn in the
            secondary capture. It is no probability of anything, so it is not made a segmentation.
        mask: (H, W), not 0 where a classification's answer was seen.
        probability: (H, W) or (H, W, segments) 0..1, how likely each pixel belongs to each segment; makes
            the segmentation FRACTIONAL.
        frame: of a multi-frame source, from 1.
        character_set: what the source's texts are in, where it is wrong or silent about it.
        uid_seed: the same seed gives the same UIDs to the same answer, in the same language, about the same
            image; default: random ones.
        when: date and time in the files; default: now.

    Returns:
        The files, and notes on what was left out.

    Raises:
        DataError: the source is no usable image, the prediction is not about it, or a file cannot be written
            or is there already. Nothing is left behind then.
        ConfigError: an option is wrong.
        MissingExtraError: pydicom or highdicom is not installed.
    """
    need_packages()
    from vnvision.clinic.results import checks
    from vnvision.clinic.results.contents import contents_of
    from vnvision.clinic.results.context import Context
    from vnvision.clinic.results.source import open_source
    from vnvision.clinic.results.uids import Uids
    from vnvision.imaging.dicom import quiet

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=str(language))
    wanted = checks.check_kinds(kinds)
    with quiet.notes():  # what pydicom and highdicom warn of is in the source, and stays as it is
        source = open_source(source_dicom, frame=frame, character_set=character_set)
        answer = checks.check_answer(prediction, task, source.size_px)
        context = Context(
            source=source,
            answer=answer,
            task=task,
            model=model,
            language=language,
            uids=Uids(None if uid_seed is None else _seed(uid_seed, source, answer, model, language)),
            when=when or datetime.now(),
            regions=checks.regions_of(answer, task, mask, source.size_px),
        )
        if heatmap is not None and not isinstance(answer, ClassPrediction):
            raise ConfigError("a heatmap needs classes", got=answer.kind, fix="leave heatmap out")
        heat = checks.check_map(heatmap, "heatmap", source.size_px)
        shares = _shares(probability, context)
        targets = {kind: Path(out) / f"{kind}.dcm" for kind in wanted}
        _check_free(targets)
        if "sc" in wanted:
            shown = picture if picture is not None else _read_picture(source_dicom, frame)
            picture = checks.check_picture(shown, source.size_px)
        contents, notes = contents_of(context, wanted, picture, heat, shares)
    _write_all({targets[kind]: data for kind, data in contents.items()})
    if source.n_frames > 1:
        notes = (f"the answer is about frame {frame} of {source.n_frames}", *notes)
    return ResultFiles(**{kind: targets[kind] for kind in contents}, notes=(*source.notes, *notes))


def _seed(seed: str, source: Source, answer: Answer, model: ModelFacts, language: Language) -> str:
    """All that makes two sets of files differ: one UID must never name two different files."""
    parts = (seed, source.uid, str(source.frame), answer.to_json(), model.to_json(), language)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _shares(probability: np.ndarray | None, context: Context) -> np.ndarray | None:
    """(H, W, segments), or None."""
    from vnvision.clinic.results.checks import check_map

    if probability is None:
        return None
    if not context.regions:
        raise ConfigError("probability does not fit the prediction", expected="a prediction with a mask")
    planes = probability[..., np.newaxis] if probability.ndim == 2 else probability
    return check_map(planes, "probability", (*context.source.size_px, len(context.regions)))


def _read_picture(source: str | Path | bytes | Dataset, frame: int) -> np.ndarray:
    from vnvision.imaging.dicom import read_dicom

    if not isinstance(source, str | Path | bytes):
        raise ConfigError("a picture to draw on is missing", fix="give the dataset's pixels as picture=")
    return read_dicom(source, frame=frame - 1).image


def _check_free(targets: dict[Kind, Path]) -> None:
    if taken := [path for path in targets.values() if path.exists() or path.is_symlink()]:
        raise DataError(
            f"{taken[0]} exists already",
            expected="a folder without it",
            fix="choose another folder: results are not replaced",
            vietnamese=f"{taken[0]} đã có; hãy chọn thư mục khác, kết quả cũ không bị ghi đè",
        )


def _write_all(contents: dict[Path, bytes]) -> None:
    """Each file whole, and all of them or none."""
    written: list[Path] = []
    try:
        for path, data in contents.items():
            written.append(atomic.write_bytes(path, data))
    except OSError as exc:
        for path in written:
            path.unlink(missing_ok=True)
        raise DataError("cannot write the results", got=exc.strerror or str(exc)) from exc


def need_packages() -> None:
    """Raise MissingExtraError where DICOM cannot be written."""
    for package in ("pydicom", "highdicom"):
        try:
            __import__(package)
        except ModuleNotFoundError as exc:
            raise MissingExtraError(exc.name or package, "clinic") from exc
