"""Rockchip's converter and its simulator. Runs in the environment of ``rknn.txt``; imports nothing of ours.

A quantised model is made in the toolkit's two steps: the first measures ranges on the calibration images and
writes them down, the second builds from what was written. So the simulator can build the same model again,
to the same answers, without the images.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from serving import serve  # type: ignore[import-not-found]

_STEPS = ("quantised.model", "quantised.data", "quantised.quantization.cfg")
_open: dict[str, Any] = {}


class _ToolkitError(Exception):
    pass


def _done(status: int, what: str) -> None:
    if status != 0:
        raise _ToolkitError(f"{what} gave {status}")


def _toolkit(recipe: dict[str, Any]) -> Any:
    from rknn.api import RKNN  # type: ignore[import-not-found]

    made = RKNN(verbose=False)
    chip, mean, std = recipe["chip"], recipe["mean"], recipe["std"]
    _done(made.config(mean_values=[mean], std_values=[std], target_platform=chip), "config")
    return made


def _loaded(recipe: dict[str, Any], folder: Path) -> Any:
    made = _toolkit(recipe)
    sizes = [[1, *recipe["input_shape"][1:]]]
    file = str(folder / "model.onnx")
    _done(made.load_onnx(file, inputs=[recipe["input"]], input_size_list=sizes), "load_onnx")
    return made


def _built(recipe: dict[str, Any], folder: Path) -> Any:
    """The model, ready for export or for the simulator."""
    if recipe["precision"] != "int8":
        made = _loaded(recipe, folder)
        _done(made.build(do_quantization=False), "build")
        return made
    made = _toolkit(recipe)
    steps = [str(folder / name) for name in _STEPS]
    _done(made.hybrid_quantization_step2(*steps), "hybrid_quantization_step2")
    return made


def convert(folder: str, recipe: dict[str, Any], calibration: np.ndarray | None = None) -> dict[str, Any]:
    """Make ``model.rknn`` in a folder that holds ``model.onnx``.

    Args:
        folder: absolute.
        recipe: chip, precision, mean and std in pixel units, the input's name and shape.
        calibration: (N, C, H, W) uint8 pixels, for int8.
    """
    place = Path(folder)
    if calibration is not None:
        _measured(recipe, place, calibration)
    made = _built(recipe, place)
    try:
        _done(made.export_rknn(str(place / "model.rknn")), "export_rknn")
    finally:
        made.release()
    return {"bytes": (place / "model.rknn").stat().st_size}


def _measured(recipe: dict[str, Any], folder: Path, calibration: np.ndarray) -> None:
    """Ranges into ``quantised.*``; the images leave nothing behind but these."""
    scratch = Path("calibration").absolute()
    scratch.mkdir()
    names = [scratch / f"{index}.npy" for index in range(len(calibration))]
    for name, image in zip(names, calibration, strict=True):
        np.save(name, image[None])
    listed = scratch / "images.txt"
    listed.write_text("".join(f"{name}\n" for name in names))
    made = _loaded(recipe, folder)
    here = Path.cwd()
    try:
        os.chdir(scratch)
        _done(
            made.hybrid_quantization_step1(dataset=str(listed), proposal=False), "hybrid_quantization_step1"
        )
        stem = next(scratch.glob("*.quantization.cfg")).name.removesuffix(".quantization.cfg")
        for step in _STEPS:
            shutil.move(scratch / step.replace("quantised", stem, 1), folder / step)
    finally:
        os.chdir(here)
        made.release()
        shutil.rmtree(scratch)


def simulate(folder: str) -> dict[str, Any]:
    """Build a model as it was exported and start the simulator."""
    recipe = json.loads((Path(folder) / "recipe.json").read_text())
    _open["model"] = _built(recipe, Path(folder))
    _done(_open["model"].init_runtime(), "init_runtime")
    return {}


def infer(pixels: np.ndarray) -> tuple[dict[str, Any], list[np.ndarray]]:
    """(N, H, W, C) uint8 -> each output (N, ...), one image after the other."""
    rows = [_open["model"].inference([image[None]], data_format=["nhwc"]) for image in pixels]
    return {}, [np.concatenate(column).astype(np.float32) for column in zip(*rows, strict=True)]


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        serve({"convert": convert, "simulate": simulate, "infer": infer})
