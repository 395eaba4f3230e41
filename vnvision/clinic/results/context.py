"""All that the three kinds of file share: the image, the answer, the model, the language, the UIDs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, DT, TM, PersonName

from vnvision.clinic.results.records import Kind, Language, ModelFacts
from vnvision.clinic.results.source import Source
from vnvision.clinic.results.texts import text
from vnvision.clinic.results.uids import Uids
from vnvision.records import PRESENT_FROM, ClassPrediction, DetectionPrediction, MaskPrediction
from vnvision.spec import Label, TaskSpec

MANUFACTURER = "vnvision"
SERIES_NUMBERS: dict[Kind, int] = {"sr": 9001, "sc": 9002, "seg": 9003}

Answer = ClassPrediction | MaskPrediction | DetectionPrediction


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """What one segment covers.

    Attributes:
        number: of the segment, from 1.
        label: what it is.
        mask: (H, W) bool.
    """

    number: int
    label: Label
    mask: np.ndarray

    @property
    def area_px(self) -> int:
        """Pixels covered."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """One answer about one image, checked.

    Attributes:
        regions: one a label, empty ones too, in segment order; none for boxes and bare classes.
    """

    source: Source
    answer: Answer
    task: TaskSpec
    model: ModelFacts
    language: Language
    uids: Uids
    when: datetime
    regions: tuple[Region, ...] = ()

    def label(self, label_id: str) -> Label:
        """A label of the task by id."""
        return next(label for label in self.task.labels if label.id == label_id)

    def present(self) -> list[Label]:
        """The labels of a classification that the model says are there; none where it abstains."""
        answer = self.answer
        if answer.abstained or not isinstance(answer, ClassPrediction):
            return []
        if answer.kind == "classification":
            return [self.label(answer.top)]
        pairs = zip(self.task.labels, answer.probabilities, strict=True)
        return [label for label, probability in pairs if probability >= PRESENT_FROM]

    def series(self, kind: Kind) -> dict[str, Any]:
        """Series and instance attributes that every highdicom class takes."""
        return {
            "series_instance_uid": self.uids.of(f"series {kind}"),
            "series_number": SERIES_NUMBERS[kind],
            "sop_instance_uid": self.uids.of(f"instance {kind}"),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.model.name,
            "software_versions": self.model.version,
            "device_serial_number": self.model.sha256,
            "series_description": text(f"series.{kind}", self.language),
            "content_qualification": "RESEARCH",
            "specific_character_set": "ISO_IR 192",
        }

    def finish(self, dataset: Dataset) -> None:
        """What highdicom would set otherwise: the patient's name unchecked, and one moment for all files."""
        put(dataset, "PatientName", PersonName(self.source.patient_name))
        date, time = DA(self.when.date()), TM(self.when.time().replace(microsecond=0))
        for what in ("InstanceCreation", "Content", "Series"):
            put(dataset, f"{what}Date", date)
            put(dataset, f"{what}Time", time)
        # highdicom lists itself last.
        put(dataset.ContributingEquipmentSequence[-1], "ContributionDateTime", DT(self.when))


def put(dataset: Dataset, keyword: str, value: Any) -> None:
    """Set an attribute as a new element: highdicom's copies share theirs with the source's header."""
    tag = tag_for_keyword(keyword)
    assert tag is not None
    dataset.add_new(tag, dictionary_VR(tag), value)
