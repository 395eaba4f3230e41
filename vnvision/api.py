"""The public verbs. Each command of the command line calls one of these, with the same argument names."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vnvision.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from vnvision.hub.listing import Entry
    from vnvision.records import EvalReport
    from vnvision.teach.records import Taught
    from vnvision.train.config import TrainConfig

RUN_FILE, BUNDLE_FILE = "run.json", "manifest.json"


def train(
    config: str | Path | Mapping[str, Any],
    *,
    data: str | Path | None = None,
    output: str | Path | None = None,
    quiet: bool = False,
    **overrides: Any,
) -> Path:
    """Train from a YAML file or a mapping.

    Args:
        config: path or mapping; unknown keys are refused, all of them listed.
        data: manifest, instead of the config's.
        output: run folder, instead of the config's.
        quiet: nothing on screen.
        **overrides: any other key, dots as ``__``: ``epochs=10, augment__hflip=0.5``.

    Returns:
        The run folder, with ``report.json`` and ``report.html``.
    """
    paths = {"data": data, "output": output}
    values = {key: str(path) for key, path in paths.items() if path is not None}
    values |= {key.replace("__", "."): value for key, value in overrides.items()}
    return train_resolved(load_train_config(config, values), quiet=quiet)


def load_train_config(config: str | Path | Mapping[str, Any], overrides: Mapping[str, Any]) -> TrainConfig:
    """The resolved configuration ``train`` would run, without running it."""
    from vnvision.train.config import load_config

    return load_config(config, overrides)


def train_resolved(config: TrainConfig, *, quiet: bool = False) -> Path:
    """Train from a resolved configuration."""
    folder: Path = _torch_layer("vnvision.train.run").train(config, quiet=quiet)
    return folder


def evaluate(
    subject: Any,
    *,
    data: str | Path | None = None,
    split: str = "test",
    out: str | Path | None = None,
    language: Literal["vi", "en"] = "en",
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> EvalReport:
    """Measure a run, a bundle or any predictor on one split of a manifest.

    Args:
        subject: a run folder, a bundle folder, or an object with ``task``, ``name`` and ``logits``.
        data: manifest; a run knows its own.
        split: which rows.
        out: folder for ``report.json`` and ``report.html``; nothing is written without it.
        language: of the page, ``vi`` or ``en``.
        progress: called with (done, total).
        **options: passed to ``vnvision.evaluate.evaluate``.
    """
    from vnvision.data.manifest import read_manifest
    from vnvision.evaluate import evaluate as measure
    from vnvision.report import write_report

    predictor, own_data = open_predictor(subject)
    source = data or own_data
    if source is None:
        raise ConfigError("no data to evaluate on", fix="add --data MANIFEST")
    manifest = read_manifest(source)
    report = measure(predictor, manifest, split, progress=progress, **options)
    if out is not None:
        write_report(report, Path(out), image_root=manifest.root, language=language)
    return report


def export(
    run: str | Path | Sequence[str | Path],
    *,
    targets: Sequence[str] = ("onnx", "openvino"),
    half: bool = False,
    int8: bool = False,
    calibration: str | Path | None = None,
    out: str | Path | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Path:
    """Export a run's best model as a bundle whose every target was proven equal to it.

    Args:
        run: a run folder; of several the best on validation data that keeps ``max_ms`` and ``max_mb``.
        targets: formats (``onnx``, ``openvino``, ``ncnn``, ``mnn``, ``litert``, ``executorch``, ``coreml``,
            ``torch``, ``rknn`` with ``chip``), or one of their precisions by name (``openvino-int8``).
        half: half precision, of formats named without one.
        int8: 8-bit integers, of formats named without a precision; needs ``calibration``.
        calibration: a manifest with training and validation rows.
        out: bundle folder; default ``<run>/bundle``.
        overwrite: replace an existing bundle, once the new one is whole.
        **options: ``chip``, ``n_calibration``, ``max_drop``, ``skip_refused``, ``card``, ``lean``, ``sign``,
            see ``vnvision.export.export_bundle``; ``max_ms`` and ``max_mb``, what one picture may take on
            this machine and one target's files may weigh.
    """
    runs = [Path(run)] if isinstance(run, str | Path) else [Path(one) for one in run]
    if not runs:
        raise ConfigError("no run to export", expected="one run folder or more")
    options |= {
        "targets": tuple(targets),
        "half": half,
        "int8": int8,
        "calibration": None if calibration is None else Path(calibration),
        "overwrite": overwrite,
    }
    folder = Path(out) if out is not None else runs[0] / "bundle"
    if len(runs) == 1 and not {"max_ms", "max_mb"} & set(options):
        bundle: Path = _torch_layer("vnvision.export.run").export_run(runs[0], folder, **options)
    else:
        bundle = _torch_layer("vnvision.export.fitting").export_fitting(runs, folder, **options)
    return bundle


def quickstart(out: str | Path = "out", *, quiet: bool = False) -> dict[str, Any]:
    """Draw synthetic leaves, train, evaluate, export and predict. See ``vnvision.quickstart``."""
    from vnvision.quickstart import quickstart as run

    return run(Path(out), quiet=quiet)


def models(*, group: str | None = None, language: Literal["vi", "en"] = "en") -> tuple[Entry, ...]:
    """Every ready function and every model by name, those the user has added too.

    Args:
        group: only ``faces``, ``crops``, ``clinic`` or ``data``.
        language: of titles, sentences and figures.
    """
    from vnvision.doctor import examine
    from vnvision.hub.listing import entries

    extras = examine()["extras"]
    return entries(lambda extra: bool(extras.get(extra, {}).get("ready")), group=group, language=language)


def add_model(
    bundle: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    trusted: str | Path | None = None,
) -> Path:
    """Verify a bundle and copy it to where ``load_bundle`` finds it by name; see ``export.shelve``."""
    from vnvision.export.shelve import add_model as add

    return add(bundle, name, replace=replace, trusted=trusted)


def remove_model(name: str) -> Path:
    """Delete a model the user has added; one that ships stays; see ``export.shelve``."""
    from vnvision.export.shelve import remove_model as remove

    return remove(name)


def teach(
    photographs: str | Path | Mapping[str, Sequence[str | Path]],
    out: str | Path,
    *,
    name: str,
    domain: Literal["crop", "clinic"] = "crop",
    by_folder: bool = False,
    progress: Callable[[float, str], None] | None = None,
    overwrite: bool = False,
    **options: Any,
) -> Taught:
    """Teach an image classifier from a folder of class folders, without torch; see ``vnvision.teach``.

    Args:
        photographs: a folder with a folder for each class, or files by class name.
        out: the bundle's folder.
        name: of the model.
        domain: ``crop`` or ``clinic``.
        by_folder: photographs of one folder inside a class's folder are of one plant or patient.
        progress: called with (share done, stage).
        overwrite: replace a bundle that is there.
        **options: ``trunk``, ``reader``, ``seed``, ``threads``.
    """
    from vnvision.teach.run import teach as run

    return run(
        photographs, out, name=name, domain=domain, by_folder=by_folder, progress=progress,
        overwrite=overwrite, **options,
    )  # fmt: skip


def open_predictor(subject: Any) -> tuple[Any, str | None]:
    """A run, a bundle or a model by its name as a predictor, and the manifest it knows of; else as it is."""
    from vnvision.hub import shelf

    if not isinstance(subject, str | Path):
        return subject, None
    folder = Path(subject)
    is_run = (folder / RUN_FILE).is_file()
    if shelf.is_bundle(folder) or (not is_run and str(subject) in shelf.model_names()):
        from vnvision.runtime import load_bundle

        return load_bundle(subject), None
    if is_run:
        module = _torch_layer("vnvision.train.predictor")
        predictor = module.load_run(folder)
        return predictor, predictor.config["data"]
    raise ConfigError(
        f"{folder} is neither a run nor a bundle",
        expected=f"a folder with {RUN_FILE} or {BUNDLE_FILE}, or a name of models list",
    )


def _torch_layer(module: str) -> Any:
    """Import a layer that needs torch, or say which extra brings it."""
    import importlib

    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if (exc.name or "").startswith("vnvision"):
            raise
        raise MissingExtraError(exc.name or "torch", "train") from exc
