"""What there is on this machine: the functions of the catalogue and the user's own models, in one list."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from vnvision.errors import VnvisionError
from vnvision.hub import catalogue, shelf
from vnvision.hub.catalogue import Function, Group
from vnvision.hub.library import Language
from vnvision.records import BundleManifest
from vnvision.spec import Record

Status = Literal["ready", "experimental", "yours", "needs extra", "needs model", "damaged"]
STATUS_VI: dict[Status, str] = {
    "ready": "dùng được",
    "experimental": "thử nghiệm",
    "yours": "của bạn",
    "needs extra": "cần cài thêm",
    "needs model": "thiếu mô hình",
    "damaged": "hỏng",
}
KINDS = {
    "classification": ("phân loại, {n} lớp", "classification, {n} labels"),
    "multilabel": ("nhiều nhãn, {n} nhãn", "several labels, {n} of them"),
    "embedding": ("véc-tơ đặc trưng", "embedding"),
    "segmentation": ("khoanh vùng, {n} lớp", "segmentation, {n} labels"),
    "detection": ("phát hiện, {n} loại", "detection, {n} labels"),
}
_DOMAINS: dict[str, Group] = {"crop": "crops", "clinic": "clinic", "face": "faces"}


class Entry(Record):
    """One function or model as ``vnvision models list`` shows it.

    Attributes:
        name: what it is called; for a model, what ``load_bundle`` takes.
        group: None for a model of the user's that says nothing of what it is for.
        title, what: in the language asked for.
        needs, installed: the extra, and whether it is here; ``True`` where none is needed.
        figure: measured, with its interval; empty where nothing was.
        model: the model behind it, its size in megabytes and the licences of its training data.
        status: see ``Status``.
        path: the model's folder.
    """

    name: str
    group: Group | None
    title: str
    what: str
    needs: str = ""
    installed: bool = True
    figure: str = ""
    model: str = ""
    size_mb: float | None = None
    licences: tuple[str, ...] = ()
    status: Status
    path: Path | None = None


def entries(
    installed: Callable[[str], bool], *, group: str | None = None, language: Language = "en"
) -> tuple[Entry, ...]:
    """Every function, then every model that no function runs.

    A function runs the model that ships and no other: a user's model of its name has a row of its own.

    Args:
        installed: whether an extra is.
        group: only these.
        language: of titles, sentences and figures.

    Raises:
        ConfigError: there is no such group or language.
    """
    wanted = catalogue.checked_group(group)
    models = shelf.model_names()
    rows = [_of_function(one, models, installed, language) for one in catalogue.functions()]
    behind = {one.model for one in catalogue.functions()}
    further = (name for name in models if name not in behind or not shelf.is_shipped(name))
    rows += [_of_model(name, models[name], language) for name in further]
    return tuple(row for row in rows if wanted is None or row.group == wanted)


def _of_function(
    one: Function, models: dict[str, Path], installed: Callable[[str], bool], language: Language
) -> Entry:
    here = not one.needs or installed(one.needs)
    path = models.get(one.model) if shelf.is_shipped(one.model) else None
    size, licences, manifest = (None, (), None) if path is None else _facts(path)
    status: Status = "experimental" if one.experimental else "ready"
    if one.model and manifest is None:
        status = "needs model" if path is None else "damaged"
    elif not here:
        status = "needs extra"
    return Entry(
        name=one.id,
        group=one.group,
        title=one.name.text(language),
        what=one.what.text(language),
        needs=one.needs,
        installed=here,
        figure=one.figure.text(language) if one.figure else "",
        model=one.model,
        size_mb=size,
        licences=licences,
        status=status,
        path=path,
    )


def _of_model(name: str, path: Path, language: Language) -> Entry:
    size, licences, manifest = _facts(path)
    domain = str(manifest.provenance.get("domain")) if manifest else ""
    kind = KINDS[manifest.task.kind][language == "en"].format(n=len(manifest.task.labels)) if manifest else ""
    ready: Status = "ready" if shelf.is_shipped(name) else "yours"
    return Entry(
        name=name,
        group=_DOMAINS.get(domain),
        title=str(manifest.provenance.get("title") or manifest.name) if manifest else name,
        what=kind,
        model=name,
        size_mb=size,
        licences=licences,
        status=ready if manifest else "damaged",
        path=path,
    )


def _facts(folder: Path) -> tuple[float | None, tuple[str, ...], BundleManifest | None]:
    """Size in megabytes, licences of the data, and the manifest; nothing where it cannot be read.

    Nothing is verified here: that is done whenever a bundle is opened.
    """
    try:
        manifest = BundleManifest.load(folder / shelf.MANIFEST)
        size = sum((folder / name).stat().st_size for name in manifest.files) / 1e6
    except (VnvisionError, OSError):
        return None, (), None
    return round(size, 2), manifest.licences.training_data, manifest
