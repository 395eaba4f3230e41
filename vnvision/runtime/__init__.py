"""Bundles in, predictions out. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, cast

from vnvision.engines import EngineName, open_engine
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
        path: the bundle's folder.
        engine: ``onnxruntime``, ``openvino``, ``ncnn``, ``mnn``, ``litert``, ``executorch``, ``torch``,
            ``rknn``, or ``auto``: of the targets that an installed engine runs those of the highest
            precision, and of these the one that was fastest when the bundle was written.
        target: a target's name in the manifest; without it the engine's target of the highest precision.
        threads: how many threads one inference may use; None leaves it to the engine.
        trusted: only load what one of these public keys signed, see ``open_bundle``; default: the folder that
            ``VNVISION_TRUSTED_KEYS`` names.
        reader: how files become samples; ``IsolatedReader().read`` for files from strangers.

    Raises:
        BundleError: the folder is no bundle, a file is missing, unlisted or changed by even one byte, or
            nothing in it fits.
        ConfigError: there is no such engine or target.
        MissingExtraError: the engine is not installed.
        ModelError: the engine cannot load the file.
    """
    bundle = open_bundle(path, trusted=trusted)
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
