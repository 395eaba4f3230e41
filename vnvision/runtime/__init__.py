"""Bundles in, predictions out. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, cast

from vnvision.engines import EngineName, open_engine
from vnvision.errors import BundleError
from vnvision.hub import shelf
from vnvision.imaging import read
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.runtime.predictor import Predictor, Reader
from vnvision.runtime.target import choose_target

__all__ = ["Bundle", "Predictor", "load_bundle", "open_bundle", "open_target"]


def load_bundle(
    path: str | Path,
    *,
    engine: Literal["auto"] | EngineName = "auto",
    target: str | None = None,
    threads: int | None = None,
    trusted: str | Path | None = None,
    reader: Reader = read,
) -> Predictor:
    """Verify a bundle and load it.

    Args:
        path: the bundle's folder; or the name of a model that ships or that ``vnvision models add`` took in,
            as ``mango`` (a folder of that path wins); or ``auto``, which finds the expert a picture needs.
        engine: ``onnxruntime``, ``openvino``, ``ncnn``, ``mnn``, ``litert``, ``executorch``, ``torch``,
            ``rknn``, or ``auto``: of the targets that an installed engine runs those of the highest
            precision, and of these the one that was fastest when the bundle was written.
        target: a target's name in the manifest; without it the engine's target of the highest precision.
        threads: how many threads one inference may use; None leaves it to the engine.
        trusted: only load what one of these public keys signed, see ``open_bundle``; default: the folder that
            ``VNVISION_TRUSTED_KEYS`` names.
        reader: how files become samples; ``IsolatedReader().read`` for files from strangers.

    Raises:
        BundleError: there is no such model; the folder is no bundle, a file is missing, unlisted or changed
            by even one byte, or nothing in it fits.
        ConfigError: there is no such engine or target.
        MissingExtraError: the engine is not installed.
        ModelError: the engine cannot load the file.
    """
    folder = shelf.resolve(path)
    if str(path) == shelf.AUTO and not shelf.is_bundle(folder):
        return _router(engine=engine, target=target, threads=threads, trusted=trusted, reader=reader)
    bundle = open_bundle(folder, trusted=trusted)
    return open_target(bundle, choose_target(bundle, engine, target), threads=threads, reader=reader)


def open_target(
    bundle: Bundle, target: str, *, threads: int | None = None, reader: Reader = read
) -> Predictor:
    """Load one target of a verified bundle.

    Args:
        bundle: what ``open_bundle`` gave.
        target: its name in the manifest.
        threads: how many threads one inference may use; None leaves it to the engine.
        reader: how files become samples.

    Raises:
        ConfigError: its engine is none of ours (CoreML runs on Apple's machines only).
        MissingExtraError: the engine is not installed.
        ModelError: the engine cannot load the file.
    """
    record = bundle.manifest.targets[target]
    loaded = open_engine(bundle.file(record.file), cast(EngineName, record.engine), threads=threads)
    predictor = Predictor(bundle.manifest, target, loaded, reader=reader, signer=bundle.signer)
    bundle.confirm()  # the engine has read its files once more
    return predictor


def _router(**options: Any) -> Predictor:
    """What ``vnvision.runtime.router.open_router`` opens: to its callers nearly a ``Predictor``.

    Raises:
        BundleError: this installation has no router.
    """
    from vnvision.runtime.router import ROUTER, open_router

    if ROUTER not in shelf.model_names():
        raise BundleError(
            "this installation has no router, so there is no model called auto",
            fix="name the model: vnvision models list",
            vietnamese="bản cài đặt này chưa có chế độ auto; hãy gọi tên mô hình: vnvision models list",
        )
    return cast(Predictor, open_router(**options))
