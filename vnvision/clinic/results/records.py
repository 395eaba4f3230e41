"""What the results need to know of the model, and what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from vnvision.records import BundleManifest, Sha256
from vnvision.spec import Record

Language = Literal["vi", "en"]
Kind = Literal["sr", "sc", "seg"]
KINDS: tuple[Kind, ...] = ("sr", "sc", "seg")

# DICOM's LO (PS3.5, 6.2) holds 64 characters and no backslash.
_LONG_STRING = r"^[^\\\x00-\x1f]*[^\\\x00-\x1f\s][^\\\x00-\x1f]*$"


class ModelFacts(Record):
    """Which model answered. Goes into every file as observer, algorithm and equipment."""

    name: str = Field(min_length=1, max_length=64, pattern=_LONG_STRING)
    version: str = Field(min_length=1, max_length=64, pattern=_LONG_STRING)
    sha256: Sha256 = Field(description="SHA-256 that tells this very model from every other")
    trained_on: str | None = Field(default=None, max_length=1024)

    @classmethod
    def of(cls, manifest: BundleManifest) -> ModelFacts:
        """The facts of a bundle: its version is the start of the hash over all that its manifest says."""
        import hashlib

        from vnvision.spec import config_json

        digest = hashlib.sha256(config_json(manifest.model_dump(mode="json")).encode()).hexdigest()
        given = manifest.provenance.get("version")
        data = manifest.provenance.get("data") or manifest.provenance.get("dataset")
        return cls(
            name=manifest.name[:64],
            version=str(given)[:64] if given else digest[:16],
            sha256=digest,
            trained_on=str(data)[:1024] if data else None,
        )


class ResultFiles(Record):
    """The files written about one image.

    Attributes:
        sr: structured report; None where it was not asked for.
        sc: secondary capture; None where it was not asked for.
        seg: segmentation; None where it was not asked for, or ``notes`` says why there is none.
        notes: what a reader of the files should know, such as identifiers that were left empty.
    """

    sr: Path | None = None
    sc: Path | None = None
    seg: Path | None = None
    notes: tuple[str, ...] = ()
