"""Predict and write results for many DICOM files: one folder an image, named by its SOP Instance UID."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vnvision.clinic.results.records import KINDS, Language, ModelFacts, ResultFiles
from vnvision.clinic.results.write import need_packages, write_results
from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.records import ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.runtime import Predictor
from vnvision.runtime.router import Router

Answered = ClassPrediction | MaskPrediction | DetectionPrediction


@dataclass(frozen=True, slots=True)
class Reported:
    """What the model says of one image, and the files that say it."""

    answer: Answered
    files: ResultFiles


def report_files(
    model: Predictor,
    sources: Iterable[str | Path],
    *,
    out: str | Path,
    language: Language = "vi",
    kinds: Sequence[str] = KINDS,
    character_set: str | None = None,
    uid_seed: str | None = None,
) -> Iterator[tuple[Path, Reported | DataError]]:
    """Answer for each file, and write the answer beside the others of ``out``.

    Args:
        model: a loaded bundle.
        sources: DICOM files.
        out: folder; each image gets ``<SOP Instance UID>`` in it.
        language: of the texts.
        kinds: ``sr``, ``sc``, ``seg``.
        character_set: of the sources' texts, where they are wrong or silent about it.
        uid_seed: for UIDs that are the same again.

    Yields:
        The source, with the answer and its files, or with why there are none.

    Raises:
        BundleError: the model's answers cannot be written as DICOM results.
        ConfigError: the model is ``auto``; and as ``write_results``.
        MissingExtraError: as ``write_results``.
    """
    need_packages()
    if isinstance(model, Router):
        raise not_of_auto()
    if model.task.kind == "embedding":
        raise BundleError(f"bundle {model.name} answers embeddings: no DICOM result can be written of them")
    facts = ModelFacts.of(model.manifest)
    for path in map(Path, sources):
        try:
            answer, picture = _answer(model, path)
            wanted = "sc" in kinds and isinstance(answer, ClassPrediction) and not answer.abstained
            heat = model.heatmap(picture) if wanted else None
            files = write_results(
                path, answer, out=Path(out) / _uid(path, character_set), task=model.task, model=facts,
                language=language, kinds=kinds, picture=picture, heatmap=heat, character_set=character_set,
                uid_seed=uid_seed,
            )  # fmt: skip
        except DataError as exc:
            yield path, exc
        else:
            yield path, Reported(answer, files)


def not_of_auto() -> ConfigError:
    """The error that ``auto`` answers with many models, and a result is of one."""
    return ConfigError(
        "auto writes no DICOM results: each expert has its own",
        fix="name the model instead",
        vietnamese="auto không ghi kết quả DICOM; hãy gọi tên mô hình",
    )


def _answer(model: Predictor, path: Path) -> tuple[Answered, np.ndarray]:
    """The answer for the first frame, and the picture it was given for."""
    from vnvision.imaging.dicom import read_dicom

    picture = read_dicom(path).image
    answer = model.predict(picture)
    assert answer.kind != "embedding"
    return answer.model_copy(update={"source": str(path)}), picture


def _uid(path: Path, character_set: str | None) -> str:
    from vnvision.clinic.results.source import open_source
    from vnvision.imaging.dicom import quiet

    with quiet.notes():
        return open_source(path, character_set=character_set).uid
