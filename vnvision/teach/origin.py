"""Where a taught model comes from, as data; nothing of it names a place on this machine."""

from __future__ import annotations

from importlib import metadata
from typing import Any

import vnvision
from vnvision.records import EvalReport
from vnvision.teach.records import Taught
from vnvision.teach.trunk import Trunk


def origin(trunk: Trunk, taught: Taught, report: EvalReport, *, domain: str, seed: int) -> dict[str, Any]:
    """The provenance of the bundle: what it learnt from, and whose network and data lie underneath."""
    under = trunk.bundle.manifest
    packages = ("numpy", "opencv-python", "onnxruntime", "scikit-learn")
    told = under.provenance
    data = told.get("card", {}).get("data") or told.get("trunk", {}).get("data", [])  # taught on a taught one
    kept = ("title", "authors", "year", "doi", "url", "licence", "licence_url")
    return {
        "domain": domain,
        "purpose": f"{taught.title}: {', '.join(row.label.vi for row in taught.rows)}",
        "title": taught.title,
        "taught": {
            "photographs": taught.n,
            "groups": taught.n_groups,
            "classes": {row.label.id: row.photos for row in taught.rows},
            "strength": taught.strength,
            "seed": seed,
            "verdict": taught.verdict.model_dump(mode="json"),
        },
        "trunk": {
            "name": under.name,
            "manifest_sha256": trunk.bundle.digest,
            "file_sha256": under.files[trunk.record.file],
            "weights": under.provenance.get("weights", {}),
            "data": [{key: one[key] for key in kept if one.get(key)} for one in data],
        },
        "manifest_sha256": report.manifest_sha256,
        "versions": {"vnvision": vnvision.__version__} | {one: metadata.version(one) for one in packages},
    }
