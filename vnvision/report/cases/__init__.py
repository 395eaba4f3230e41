"""Reports about a picture or a batch of them: html, PDF and CSV, in Vietnamese or English. No torch."""

from __future__ import annotations

from vnvision.report.cases.batch import Unread
from vnvision.report.cases.build import case_of
from vnvision.report.cases.facts import ModelFacts, model_facts
from vnvision.report.cases.records import Case
from vnvision.report.cases.write import write_batch, write_case

__all__ = ["Case", "ModelFacts", "Unread", "case_of", "model_facts", "write_batch", "write_case"]
