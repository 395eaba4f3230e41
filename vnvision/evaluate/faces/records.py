"""What a face evaluation says. All frozen; JSON both ways."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vnvision.metrics.differential import DifferentialReport
from vnvision.metrics.identification import TpirAtFpir
from vnvision.metrics.thresholds import TarAtFmr
from vnvision.metrics.verification import EqualErrorRate, FoldAccuracy
from vnvision.records import Metric
from vnvision.spec import Record

Protocol = Literal["all-pairs", "lfw", "1n"]
PROTOCOLS: tuple[Protocol, ...] = ("all-pairs", "lfw", "1n")
ThresholdSource = Literal["given", "operating point", "reference group", "all comparisons"]
Points = tuple[tuple[float, float], ...]


class FaceOperatingPoint(Record):
    """The one threshold all rates of a report are stated at.

    Attributes:
        threshold: cosine at and above which two images count as one person.
        source: where it comes from.
        population: whom it was set on: a group's name, or the words of a stored operating point.
        target_fmr: the FMR it is meant for; None for a bare number.
        supported: there were 3 / target impostor comparisons where it was set; None where not known.
        fmr: on all comparisons of the report.
        fnmr: on all comparisons of the report.
    """

    threshold: float
    source: ThresholdSource
    population: str = ""
    target_fmr: float | None = Field(default=None, gt=0, le=1)
    supported: bool | None = None
    fmr: Metric
    fnmr: Metric


class ScoreHistogram(Record):
    """Comparisons by score, in bins of equal width from ``low`` to ``high``."""

    low: float
    high: float
    genuine: tuple[int, ...]
    impostor: tuple[int, ...]


class SearchReport(Record):
    """Open-set identification: one gallery, mated probes, probes of unknown people."""

    n_enrolled: int
    n_gallery: int
    n_mated: int
    n_unknown: int
    tpir: tuple[TpirAtFpir, ...]
    cmc: tuple[Metric, ...]


class FailureCount(Record):
    """Images without a template, for one reason."""

    reason: str
    n: int = Field(ge=0)


class FaceReport(Record):
    """How well faces are told apart, and for whom.

    Attributes:
        protocol: how comparisons were formed.
        name: what was evaluated, in the user's words.
        n_images: all of them, those without a template included.
        n_subjects: persons with a template.
        n_genuine: comparisons of one person (mated searches under ``1n``).
        n_impostor: comparisons of two persons (searches of unknown people under ``1n``).
        model: fingerprint of the embedder.
        manifest_sha256: of the manifest the images come from.
        tar_at_fmr: TAR at the threshold of each FMR; intervals over subjects, with the threshold's own noise
            unless a note says otherwise (too many comparisons to resample).
        roc: points (FMR, TAR).
        det: points (FMR, FNMR).
        folds: accuracy over folds, under ``lfw``.
        group: the column behind ``differential``.
        within: the column whose values must agree for two images to be compared.
        failure_to_enrol: share of images without a template.
        failures: the same by reason, the most frequent first.
        warnings: templates of ``vnvision.evaluate.faces.notes`` and ``vnvision.metrics.notes``, filled in.
    """

    schema_version: int = 1
    protocol: Protocol
    name: str = ""
    n_images: int
    n_subjects: int
    n_genuine: int
    n_impostor: int
    model: str = ""
    manifest_sha256: str = ""
    tar_at_fmr: tuple[TarAtFmr, ...] = ()
    eer: EqualErrorRate | None = None
    roc: Points = ()
    det: Points = ()
    histogram: ScoreHistogram | None = None
    operating: FaceOperatingPoint | None = None
    folds: FoldAccuracy | None = None
    group: str | None = None
    within: str | None = None
    differential: DifferentialReport | None = None
    search: SearchReport | None = None
    failure_to_enrol: Metric
    failures: tuple[FailureCount, ...] = ()
    warnings: tuple[str, ...] = ()
