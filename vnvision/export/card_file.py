"""The card of a bundle that is already written, from what the bundle holds."""

from __future__ import annotations

from pathlib import Path

from vnvision.errors import BundleError
from vnvision.export.card import model_card
from vnvision.export.result import BLIND_TO, NOT_RUN, GateResult
from vnvision.records import BundleManifest, EvalReport, TargetRecord
from vnvision.runtime.target import size_bytes

MANIFEST, REPORT = "manifest.json", "report.json"


def card_of(root: str | Path) -> str:
    """``MODEL_CARD.md`` of a bundle, rendered anew from its manifest and report.

    For bundles whose targets or provenance were changed after export, and to see that a card says what its
    bundle holds.

    Raises:
        BundleError: manifest or report cannot be read.
    """
    root = Path(root)
    manifest = BundleManifest.load(root / MANIFEST, BundleError)
    report = EvalReport.load(root / REPORT, BundleError) if REPORT in manifest.files else None
    results = {key: _result(key, record) for key, record in manifest.targets.items()}
    sizes = {key: size_bytes(root, record) for key, record in manifest.targets.items()}
    return model_card(manifest, report, results, sizes)


def _result(key: str, record: TargetRecord) -> GateResult:
    """The gate's figures, as the manifest keeps them."""
    kept = record.parity
    names = (
        "max_abs",
        "max_relative",
        "cosine_mean",
        "cosine_min",
        "top1_agreement",
        "batch_relative",
        "dice",
    )
    return GateResult(
        target=key,
        engine=record.engine,
        precision=record.precision,
        proven_by=record.proven_by or NOT_RUN,
        n=max(2, int(kept.get("n", 2))),
        top1_n=int(kept.get("top1_n", 0)),
        scale=kept.get("scale", 0.0),
        blind_to=tuple(key.removeprefix(BLIND_TO) for key in kept if key.startswith(BLIND_TO)),
        **{name: kept[name] for name in names if name in kept},
    )
