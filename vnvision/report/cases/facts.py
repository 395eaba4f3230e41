"""A bundle as far as its pages need it."""

from __future__ import annotations

from dataclasses import dataclass

from vnvision.atomic import sha256_file
from vnvision.errors import BundleError, ConfigError
from vnvision.hub import LabelText, label_text
from vnvision.hub.library import Domain, Language
from vnvision.records import BundleManifest, EvalReport, Metric, OperatingPoint, TargetRecord
from vnvision.runtime.bundle import MANIFEST, Bundle
from vnvision.spec import Label, TaskSpec

REPORT = "report.json"


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """A bundle as far as its pages need it.

    Attributes:
        manifest: of the bundle.
        sha256: of ``manifest.json``, which holds the hash of every other file.
        target: which of its files answered.
        report: its evaluation, where it carries one.
    """

    manifest: BundleManifest
    sha256: str
    target: str
    report: EvalReport | None = None

    @property
    def task(self) -> TaskSpec:
        """What the model answers."""
        return self.manifest.task

    @property
    def record(self) -> TargetRecord:
        """The file that answered."""
        return self.manifest.targets[self.target]

    @property
    def domain(self) -> Domain:
        """Crop or clinic; of an unknown domain clinic, whose pages show less and warn more."""
        stated = self.manifest.provenance.get("domain")
        if stated in ("crop", "clinic"):
            return "crop" if stated == "crop" else "clinic"
        known = (self.text_of(label.id) for label in self.task.labels)
        return next((text.domain for text in known if text is not None), "clinic")

    def text_of(self, label_id: str) -> LabelText | None:
        """The hub's text of a label, or None."""
        return label_text(self.task.texts, label_id) if self.task.texts else None

    def label(self, label_id: str) -> Label:
        """A label of the task.

        Raises:
            ConfigError: the answer is of another model.
        """
        for label in self.task.labels:
            if label.id == label_id:
                return label
        known = ", ".join(self.task.label_ids)
        raise ConfigError(f"{self.manifest.name} has no label {label_id!r}", expected=known)

    def metric(self, name: str, label_id: str | None = None) -> Metric | None:
        """A measured figure of the report, None where there is none."""
        if self.report is None:
            return None
        found = self.report.metrics if label_id is None else self.report.per_class.get(label_id, {})
        metric = found.get(name)
        return metric if metric is not None and metric.value is not None else None


def model_facts(bundle: Bundle, target: str | None = None) -> ModelFacts:
    """Read what a page needs from an opened bundle.

    Args:
        bundle: of ``vnvision.runtime.open_bundle``, so verified.
        target: which file answered; the first one unless given.

    Raises:
        ConfigError: there is no such target.
        BundleError: the evaluation report in it is not one.
    """
    name = target if target is not None else next(iter(bundle.manifest.targets))
    if name not in bundle.manifest.targets:
        raise ConfigError(f"there is no target {name!r}", expected=", ".join(bundle.manifest.targets))
    inside = REPORT in bundle.manifest.files
    report = EvalReport.load(bundle.file(REPORT), BundleError) if inside else None
    return ModelFacts(bundle.manifest, sha256_file(bundle.file(MANIFEST)), name, report)


def probability_points(facts: ModelFacts) -> list[OperatingPoint]:
    """Operating points on a calibrated probability of a label."""
    known = facts.task.label_ids
    points = facts.record.operating_points
    return [point for point in points if point.scale == "probability" and point.label in known]


def names_of(facts: ModelFacts, label_ids: tuple[str, ...], language: Language) -> str:
    """Labels in words, with commas between."""
    return ", ".join(facts.label(one).text(language) for one in label_ids)
