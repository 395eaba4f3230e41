"""Bundles in, predictions out. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vnvision.engines import EngineName, open_engine
from vnvision.imaging import read
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.runtime.predictor import Predictor, Reader
from vnvision.runtime.target import choose_target

__all__ = ["Bundle", "Predictor", "load_bundle", "open_bundle"]


def load_bundle(
    path: str | Path,
    *,
    engine: Literal["auto"] | EngineName = "auto",
    target: str | None = None,
    threads: int | None = None,
    reader: Reader = read,
) -> Predictor:
    """Verify a bundle and load it.

    Args:
        path: the bundle's folder.
        engine: ``openvino``, ``onnxruntime``, or ``auto``: the first of these that is installed and that the
            bundle has a file for.
        target: a target's name in the manifest, where the bundle has several for one engine; without it the
            first one listed.
        threads: how many threads one inference may use; None leaves it to the engine.
        reader: how files become samples; ``IsolatedReader().read`` for files from strangers.

    Raises:
        BundleError: the folder is no bundle, a file is missing, unlisted or changed by even one byte, or
            nothing in it fits.
        ConfigError: there is no such engine or target.
        MissingExtraError: the engine is not installed.
        ModelError: the engine cannot load the file.
    """
    bundle = open_bundle(path)
    chosen = choose_target(bundle, engine, target)
    record = bundle.manifest.targets[chosen]
    # choose_target has checked that the record names an engine of ours.
    loaded = open_engine(bundle.file(record.file), record.engine, threads=threads)  # type: ignore[arg-type]
    return Predictor(bundle.manifest, chosen, loaded, reader=reader)
