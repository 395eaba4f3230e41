"""Whether a bundle may ship: its provenance is complete, its licences allow it, and it names no machine."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from vnvision.errors import ConfigError
from vnvision.hub.card_records import Card
from vnvision.records import BundleManifest
from vnvision.spec import explain

MANIFEST = "manifest.json"
UNSTATED = ("", "none", "not stated", "noassertion", "unknown", "n/a", "tbd")
FORBIDDEN = re.compile(
    r"\bNC\b|(non-?|not for )\s?commercial|\bA?GPL(\b|v?\d)|\bSSPL"
    r"|\b(research|evaluation|academic)( use| purposes?)? only",
    re.IGNORECASE,
)
"""Terms under which no model of ours may ship."""

_FOLDERS = (
    "work|home|root|tmp|var|usr|opt|mnt|srv|media|private|scratch|Users|Volumes|workspace|kaggle|content"
    "|data|datasets|nfs|storage|gpfs"
)
MACHINE_PATH = re.compile(
    rf"(?<![\w./:~%-])/(?:{_FOLDERS})/[\w.@~+-]"  # /home/ann/x, and no URL or name inside a network
    r"|(?<![\w./~-])~/[\w.@+-]|file:///?[\w.@~+-]"
    r"|(?<![A-Za-z0-9])[A-Za-z]:(?:\\{1,2}|/)(?!/)[\w.@~+-]"  # C:\x, also as JSON escapes it
    r"|(?<!\\)\\\\{1,3}[\w.-]+\\{1,2}[\w$.-]+\\"  # \\server\share\x
)
_IN_BINARIES = re.compile(rb"/(?:work|home|root|tmp|Users|usr)/[\w.@~+-]{2,}/|[A-Z]:\\Users\\")
_TEXTS = {
    ".json",
    ".md",
    ".html",
    ".xml",
    ".txt",
    ".csv",
    ".yaml",
    ".toml",
    ".param",
    ".py",
    ".svg",
    ".mlmodel",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{7,40}")
_VERSIONS = ("vnvision", "torch", "numpy")


def check_provenance(manifest: BundleManifest) -> list[str]:
    """What keeps a bundle from shipping, one problem a line; empty where nothing does.

    Asked for: licences of code, weights and training data that allow commercial use; where the starting
    weights come from (package, version, licence, sha256); the card with its attributions; the hash of the
    data manifest; a clean commit; configuration and package versions; the count of looks at the test split;
    no face data; no path of the machine it was made on.
    """
    told = manifest.provenance
    return [
        *_licence_problems(manifest),
        *_weight_problems(told),
        *_origin_problems(told),
        *_card_problems(manifest),
        *_face_problems(manifest),
        *(f"machine path in {MANIFEST}: {found}" for found in machine_paths(manifest.to_json())),
    ]


def check_bundle(root: str | Path) -> list[str]:
    """As ``check_provenance``, of a bundle folder, with the machine paths in every file of it.

    Hashes are not compared: ``vnvision.runtime.open_bundle`` does that.

    Raises:
        ConfigError: the folder's manifest cannot be read.
    """
    root = Path(root)
    problems = check_provenance(BundleManifest.load(root / MANIFEST, ConfigError))
    for path in sorted(item for item in root.rglob("*") if item.is_file()):
        name = path.relative_to(root).as_posix()
        if path.suffix in _TEXTS and name != MANIFEST:
            text = path.read_text(encoding="utf-8", errors="replace")
            problems += [f"machine path in {name}: {found}" for found in machine_paths(text)]
        elif path.suffix not in _TEXTS and (hit := _IN_BINARIES.search(path.read_bytes())):
            problems.append(f"machine path in {name}: {hit.group().decode(errors='replace')}")
    return problems


def machine_paths(text: str) -> list[str]:
    """Paths of a machine in a text: folders of a system, drives, shares; each once, cut to 60 letters."""
    hits = (
        re.split(r"[\s\"'<>|,;)]", text[hit.start() : hit.start() + 60])[0]
        for hit in MACHINE_PATH.finditer(text)
    )
    return list(dict.fromkeys(hits))


def unstated(value: object) -> bool:
    """Whether a licence or version says nothing."""
    return not isinstance(value, str) or value.strip().lower() in UNSTATED


def _licence_problems(manifest: BundleManifest) -> Iterator[str]:
    licences = manifest.licences
    named = [("code", licences.code), ("weights", licences.weights)]
    named += [("training data", one) for one in licences.training_data]
    if not licences.training_data:
        yield "licence of the training data is missing"
    for what, licence in named:
        if unstated(licence):
            yield f"licence of the {what} is missing"
        elif FORBIDDEN.search(licence):
            yield f"licence of the {what} does not allow shipping: {licence}"


def _weight_problems(told: Mapping[str, Any]) -> Iterator[str]:
    """Starting weights are none, or a pinned file of a named package."""
    weights = told.get("weights")
    if not isinstance(weights, Mapping):
        yield "provenance says nothing of the starting weights"
        return
    if weights.get("source") == "none":
        return
    for key in ("package", "version", "file", "licence"):
        if unstated(weights.get(key)):
            yield f"starting weights: {key} is missing"
    if not _SHA256.fullmatch(str(weights.get("sha256", ""))):
        yield "starting weights: sha256 is missing"
    if FORBIDDEN.search(str(weights.get("licence", ""))):
        yield f"licence of the starting weights does not allow shipping: {weights['licence']}"


def _origin_problems(told: Mapping[str, Any]) -> Iterator[str]:
    if not _SHA256.fullmatch(str(told.get("manifest_sha256", ""))):
        yield "hash of the data manifest is missing"
    commit = str(told.get("commit") or "")
    if commit.endswith("+"):
        yield f"commit {commit} is of a changed tree"
    elif not _COMMIT.fullmatch(commit):
        yield "commit is missing"
    if not isinstance(told.get("config"), Mapping) or not told["config"]:
        yield "configuration is missing"
    versions = told.get("versions")
    versions = versions if isinstance(versions, Mapping) else {}
    for name in _VERSIONS:
        if unstated(versions.get(name)):
            yield f"version of {name} is missing"


def _card_problems(manifest: BundleManifest) -> Iterator[str]:
    told = manifest.provenance
    if "card" not in told:
        yield "card is missing"
        return
    try:
        card = Card.model_validate(told["card"])
    except ValidationError as exc:
        yield f"card: {explain(exc)}"
        return
    for one in card.data:
        if unstated(one.licence) or FORBIDDEN.search(one.licence):
            yield f"card: {one.id}: licence does not allow shipping: {one.licence}"
        if one.licence not in manifest.licences.training_data:
            yield f"card: {one.id}: licence {one.licence} is not among those of the training data"
    if manifest.synthetic != all(one.synthetic for one in card.data):
        yield "card: the manifest and the card disagree on whether the data is drawn"
    looks = told.get("test_looks")
    counted = looks.get("sets") if isinstance(looks, Mapping) else None
    for name in card.looks:
        if not isinstance(counted, Mapping) or name not in counted:
            yield f"looks at the test split of {name} are not counted"


def _face_problems(manifest: BundleManifest) -> Iterator[str]:
    """Licences of the face sets at hand allow no model trained on them to ship."""
    told = manifest.provenance
    config = told.get("config")
    config = config if isinstance(config, Mapping) else {}
    if manifest.task.kind == "embedding" or "face" in (told.get("domain"), config.get("domain")):
        yield "trained on face data"
