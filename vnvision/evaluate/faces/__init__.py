"""Faces judged by protocol: stored templates in, a ``FaceReport`` out. No torch, no model."""

from __future__ import annotations

from vnvision.errors import ConfigError
from vnvision.evaluate.faces.pair_lists import PairList
from vnvision.evaluate.faces.population import cautions, failures, overall_failure
from vnvision.evaluate.faces.protocols import Options, every_pair, listed_pairs, one_to_many
from vnvision.evaluate.faces.records import PROTOCOLS, FaceReport, Protocol
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.records import OperatingPoint

__all__ = ["PROTOCOLS", "FaceReport", "Protocol", "evaluate_faces"]


def evaluate_faces(
    faces: EmbeddedFaces,
    protocol: Protocol,
    *,
    pairs: PairList | None = None,
    group: str | None = None,
    reference: str | None = None,
    threshold: float | OperatingPoint | None = None,
    fmr: float = 1e-3,
    within: str | None = None,
    identity: str = "identity",
    enrolled_images: int = 1,
    unknown_share: float = 0.3,
    n_boot: int = 1000,
    seed: int = 0,
    block: int = 2048,
    name: str = "",
) -> FaceReport:
    """Judge stored templates.

    Args:
        faces: one row a picture; failures are counted, and are in no comparison.
        protocol: ``all-pairs`` compares every image with every other, ``lfw`` a list of pairs in folds,
            ``1n`` searches a gallery, with probes of people who are not in it.
        pairs: for ``lfw``: from ``pair_lists``.
        group: column of demographic groups for the differential report; not for ``1n``.
        reference: the group others are held against; the one with most persons by default.
        threshold: cosine or operating point that all rates are stated at. Unless given: the threshold at
            which ``fmr`` of the impostor comparisons of the reference group match (of all, without groups).
        fmr: see ``threshold``.
        within: for ``all-pairs``: compare only images with equal values of this column.
        identity: column that names the person.
        enrolled_images: for ``1n`` without a column ``role``: images enrolled of each person.
        unknown_share: for ``1n`` without a column ``role``: share of the persons who are not enrolled.
        n_boot: resamples for the intervals of TAR at FMR.
        seed: of resamples, and of who is enrolled.
        block: images compared at a time.
        name: what is evaluated, for the report's title.

    Raises:
        ConfigError: an unknown protocol, an option that does not suit it, or a rate outside (0, 1].
        DataError: a missing column, a person in two groups, or nothing to compare.
    """
    asked = Options(
        pairs=pairs,
        group=group,
        reference=reference,
        threshold=threshold,
        fmr=fmr,
        within=within,
        identity=identity,
        enrolled_images=enrolled_images,
        unknown_share=unknown_share,
        n_boot=n_boot,
        seed=seed,
        block=block,
    )
    _check(protocol, asked)
    judge = {"all-pairs": every_pair, "lfw": listed_pairs, "1n": one_to_many}[protocol]
    found = judge(faces, asked)
    named = None if protocol == "lfw" else identity
    said = cautions(faces, named, found["n_subjects"], within) + found.pop("said")
    return FaceReport(
        protocol=protocol,
        name=name,
        n_images=len(faces.paths),
        model=faces.model,
        manifest_sha256=faces.manifest_sha256,
        group=group,
        within=within,
        failure_to_enrol=overall_failure(faces, identity),
        failures=failures(faces),
        warnings=tuple(said),
        **found,
    )


def _check(protocol: str, asked: Options) -> None:
    if protocol not in PROTOCOLS:
        raise ConfigError("protocol", expected=", ".join(PROTOCOLS), got=str(protocol))
    if (asked.pairs is not None) != (protocol == "lfw"):
        got = "none" if asked.pairs is None else f"protocol {protocol}"
        raise ConfigError("pairs", expected="a list of pairs for protocol lfw, and only for it", got=got)
    if asked.within is not None and protocol != "all-pairs":
        raise ConfigError("within", expected="protocol all-pairs", got=protocol)
    if protocol == "1n" and (asked.group is not None or asked.threshold is not None):
        what = "group" if asked.group is not None else "threshold"
        raise ConfigError(what, expected="protocol all-pairs or lfw", got=protocol)
    if asked.reference is not None and asked.group is None:
        raise ConfigError("reference", expected="a group column as well", fix="name it with group")
