"""The model on this machine: an engine, and what lies between an 8-bit picture and its input.

Needs numpy and the engine's own package, nothing else. Everything about the model is in spec.json.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import sys
import zipfile
from pathlib import Path

import numpy as np
from engines import ENGINES

HERE = Path(__file__).resolve().parent
KEYS = ("name", "target", "engine", "file", "files", "shape", "outputs", "tolerance", "preprocess", "task",
        "calibration", "operating_points")  # fmt: skip


class KitError(Exception):
    """What is wrong, in one line."""


class Model:
    """The kit in ``folder``; ``threads`` for one inference. For one caller at a time.

    Attributes: ``about`` (spec.json), ``spec`` (preprocessing left to do), ``task``.
    """

    def __init__(self, folder=HERE, threads=1):
        folder = Path(folder)
        self.about = read_spec(folder)
        self.spec, self.task = self.about["preprocess"], self.about["task"]
        name = self.about["engine"]
        if name not in ENGINES:
            raise KitError(f"no Python program runs {name} here: see README.md")
        check_files(folder, self.about["files"])
        kind, packages = ENGINES[name]
        self.takes_pixels = getattr(kind, "takes_pixels", False)
        self.table = tables(self.spec)
        try:
            with noise_aside():
                self.engine = kind(folder / self.about["file"], self.about, threads)
        except ImportError as exc:
            raise KitError(f"{name} is not installed: pip install {packages} ({one_line(exc)})") from exc
        except Exception as exc:  # engines raise whatever they like
            raise KitError(f"{name} cannot load {self.about['file']}: {one_line(exc)}") from exc

    def batch(self, crops, flip=False):
        """(N, h, w, C) uint8 at the model's size, RGB or grey -> what the engine takes."""
        crops = np.asarray(crops)
        wanted = (*self.spec["size_px"], 1 if self.spec["colour"] == "grey" else 3)
        if crops.shape[1:] != wanted or crops.dtype != np.uint8:
            raise KitError(f"pictures must be (N, {', '.join(map(str, wanted))}) uint8, not {crops.shape}")
        crops = crops[..., ::-1] if self.spec["colour"] == "bgr" else crops
        crops = crops[:, :, ::-1] if flip else crops
        if self.takes_pixels:
            return np.ascontiguousarray(crops)
        return np.stack([table[crops[..., channel]] for channel, table in enumerate(self.table)], axis=1)

    def run(self, batch):
        """What ``batch`` gave -> the raw outputs by name, each (N, ...) float32."""
        try:
            found = self.engine.run(batch)
            return dict(zip(self.about["outputs"], found, strict=True))
        except Exception as exc:  # as above
            raise KitError(f"inference failed in {self.about['engine']}: {one_line(exc)}") from exc

    def output(self, crops):
        """The first output, averaged over the picture and its mirror image where the model asks for that."""
        name = self.about["outputs"][0]
        found = self.run(self.batch(crops))[name].astype(np.float64)
        if self.spec["flip_average"]:
            found = (found + self.run(self.batch(crops, flip=True))[name]) / 2
        return found

    def differences(self, golden, original=False):
        """Per output: the largest difference to the right answers, over how far those lie apart.

        Right is what the original answers, and for 8-bit files what the file itself answered where it was
        exported; with ``original`` the original's for these too.
        """
        images = golden["images"]
        rows = [self.run(self.batch(images[index : index + 1])) for index in range(len(images))]
        found = {}
        for place, name in enumerate(self.about["outputs"]):
            right = golden.get("outputs" if place == 0 else name, np.empty(0))
            right = (right if original else golden.get(f"exported_{name}", right)).astype(np.float64)
            got = np.concatenate([row[name] for row in rows])
            if got.shape != right.shape:
                raise KitError(f"output {name} is {got.shape}, the original's is {right.shape}")
            gap = np.abs(got - right).max() if np.isfinite(got).all() else np.inf
            found[name] = float(gap / max((right.max(0) - right.min(0)).max(), 1e-30))
        return found

    def agrees(self, differences):
        """Whether every difference is within its tolerance."""
        return all(gap <= self.about["tolerance"][name] for name, gap in differences.items())


def tables(spec):
    """What each level of each channel becomes, (C, 256) float32: computed in float64 and rounded once."""
    try:
        low, high = spec["input_range"]
        unit = (np.arange(256, dtype=np.float64) - low) / (high - low)
        pairs = zip(spec["mean"], spec["std"], strict=True)
        return np.stack([((unit - mean) / std).astype(np.float32) for mean, std in pairs])
    except (KeyError, TypeError, ValueError) as exc:
        raise KitError(f"spec.json is damaged: {one_line(exc)}") from exc


def read_spec(folder=HERE):
    """The content of spec.json."""
    try:
        about = json.loads((Path(folder) / "spec.json").read_text("utf-8"))
        return {**about, **{key: about[key] for key in KEYS}}
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise KitError(f"spec.json is missing or damaged: {one_line(exc)}") from exc


def read_golden(folder=HERE):
    """golden.npz: pictures, and the original model's answers to them, by name."""
    try:
        with np.load(Path(folder) / "golden.npz", allow_pickle=False) as file:
            golden = {name: file[name] for name in file.files}
        return golden | {"images": golden["images"], "outputs": golden["outputs"]}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
        raise KitError(f"golden.npz is missing or damaged: {one_line(exc)}") from exc


def check_files(folder, files):
    """Refuse model files that are not those that were exported: of changed bytes some engines crash."""
    for name, wanted in files.items():
        try:
            got = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as exc:
            raise KitError(f"{name} cannot be read: {one_line(exc)}") from exc
        if got != wanted:
            raise KitError(f"{name} is not the file that was exported (SHA-256): copy the kit again")


def positive(text):
    """A number of threads, runs or pictures from the command line."""
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


def one_line(exc):
    """The first line of an error, not too long."""
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:200]


@contextlib.contextmanager
def noise_aside():
    """What engines print while they load goes to standard error; standard output is for answers."""
    flush = ctypes.CDLL(None).fflush if os.name == "posix" else lambda _: None
    sys.stdout.flush()
    flush(None)
    before = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        flush(None)
        os.dup2(before, 1)
        os.close(before)
