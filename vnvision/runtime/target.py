"""Which of a bundle's files to run, which preprocessing is left to do for it, and running it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from vnvision.engines import ENGINES, Engine, available_engines
from vnvision.errors import BundleError, ConfigError, ModelError
from vnvision.imaging import Preprocessor
from vnvision.records import BundleManifest, TargetRecord
from vnvision.runtime.bundle import Bundle
from vnvision.spec import PreprocessSpec, TaskSpec

PRECISIONS = ("fp32", "fp16", "int8-weights", "int8")
"""The nearest to the original first."""

DENSE = ("segmentation", "detection")
"""Tasks whose output is planes."""


def choose_target(bundle: Bundle, engine: str = "auto", target: str | None = None) -> str:
    """The name of the target to load.

    Args:
        bundle: a verified bundle.
        engine: an engine's name, or ``auto``: of the targets that an installed engine runs those of the
            highest precision, and of these the one that was fastest when the bundle was written; where that
            was not measured, the engine that comes first in ``ENGINES``.
        target: a target's name; it decides, and ``engine`` must agree with it.

    Raises:
        ConfigError: no such engine or target, or the two disagree.
        BundleError: the bundle has no target for it.
    """
    targets, name = bundle.manifest.targets, bundle.manifest.name
    if engine != "auto" and engine not in ENGINES:
        raise ConfigError(f"there is no engine {engine!r}", expected=", ".join(("auto", *ENGINES)))
    if target is not None and target not in targets:
        raise ConfigError(f"bundle {name} has no target {target!r}", expected=", ".join(targets) or "none")
    allowed = {target: targets[target]} if target is not None else targets
    wanted = available_engines() if engine == "auto" and target is None else ENGINES
    able = [
        key
        for key, record in allowed.items()
        if record.engine in wanted and engine in ("auto", record.engine)
    ]
    if able:
        return min(able, key=lambda key: _preference(allowed[key], by_speed=engine == "auto"))
    got = ", ".join(f"{key} ({record.engine})" for key, record in allowed.items()) or "no target"
    if target is not None and engine != "auto":
        raise ConfigError(f"target {target!r} is not for {engine}", got=got)
    raise BundleError(
        f"bundle {name} has no file that can run here",
        expected=" or ".join(wanted) if engine == "auto" else engine,
        got=got,
        fix="export it for one of these engines, or install an engine",
    )


def _preference(record: TargetRecord, *, by_speed: bool) -> tuple[int, float, int]:
    """Sort key: precision, then speed where asked for and measured, then the order of engines."""
    order = ENGINES.index(record.engine) if record.engine in ENGINES else len(ENGINES)
    milliseconds = record.p50_ms if by_speed and record.p50_ms is not None else float("inf")
    return PRECISIONS.index(record.precision), milliseconds, order


def remaining_preprocess(spec: PreprocessSpec, record: TargetRecord) -> PreprocessSpec:
    """The preprocessing to do outside the file of a target, see ``remaining_spec``.

    Raises:
        BundleError: the file took in something else, which this runtime does not know how to leave out.
    """
    if set(record.converter_took) not in (set(), {"range", "normalise"}):
        raise BundleError(
            f"{record.file} took in preprocessing that {record.engine} cannot leave out",
            expected="nothing, or range and normalise",
            got=", ".join(sorted(record.converter_took)),
        )
    return remaining_spec(spec, record.converter_took)


def remaining_spec(spec: PreprocessSpec, took: Sequence[str]) -> PreprocessSpec:
    """The preprocessing that a converter left outside: all of it, or, of one that took in range and
    normalisation, the same with levels as they are, only as float32."""
    if not took:
        return spec
    zeros, ones = (0.0,) * spec.channels, (1.0,) * spec.channels
    return spec.model_copy(update={"input_range": (0.0, 1.0), "mean": zeros, "std": ones})


def size_bytes(folder: Path, record: TargetRecord) -> int:
    """Of all the files of a target in a bundle's folder."""
    return sum((folder / name).stat().st_size for name in (record.file, *record.extra_files))


class Outputs(NamedTuple):
    """What a model gave for N pictures.

    Attributes:
        answer: (N, C) raw logits, (N, D) raw embeddings, or (N, P, h, w) planes.
        features: (N, F) pooled features that the classifier takes in, where the file gives them.
        cam: (N, C, h, w) class activation maps, where it has them.
    """

    answer: np.ndarray
    features: np.ndarray | None = None
    cam: np.ndarray | None = None


class CropModel(Protocol):
    """A classifier, loaded or in training, that gives features and maps: ``Predictor`` is one."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def task(self) -> TaskSpec:
        """What it answers."""

    @property
    def preprocessor(self) -> Preprocessor:
        """Its preprocessing."""

    def run_crops(self, crops: Sequence[np.ndarray]) -> Outputs:
        """Outputs of crops that went through ``preprocessor.geometry``."""


class Runner:
    """A loaded target behind its preprocessing: crops in, ``Outputs`` out.

    Args:
        manifest: the bundle's manifest.
        target: which of its targets ``engine`` holds.
        engine: the loaded model.

    Raises:
        BundleError: the task is not supported as the manifest has it.
    """

    def __init__(self, manifest: BundleManifest, target: str, engine: Engine) -> None:
        self.name, self.task, self.engine = manifest.name, manifest.task, engine
        spec = remaining_preprocess(manifest.task.preprocess, manifest.targets[target])
        self.preprocessor = Preprocessor(spec)
        self.width, self.dense = output_width(manifest.task), manifest.task.kind in DENSE
        if self.dense and spec.flip_average:
            raise BundleError(
                f"bundle {self.name}: maps are not averaged over the flip", fix="export it again"
            )

    def __call__(self, crops: Sequence[np.ndarray]) -> Outputs:
        """Normalise and infer N crops (h, w, C) in one batch."""
        spec, count = self.task.preprocess, len(crops)
        views = 2 if spec.flip_average else 1
        batch = np.empty((views * count, spec.channels, *spec.size_px), np.float32)
        for index, crop in enumerate(crops):
            self.preprocessor.normalise(crop, batch[index])
        if spec.flip_average:
            np.copyto(batch[count:], batch[:count, :, :, ::-1])
        found = self.engine.run(batch)
        check_outputs(found, self.name, rows=views * count, width=self.width, dense=self.dense)
        named = dict(zip(self.engine.output_names[1:], found[1:], strict=True))
        whole = Outputs(found[0], named.get("features"), named.get("cam"))
        return whole if views == 1 else _averaged(whole, count)

    def batched(
        self,
        images: Sequence[np.ndarray] | np.ndarray,
        batch_size: int,
        geometry: Callable[[np.ndarray], np.ndarray],
    ) -> Outputs:
        """As ``__call__`` for any number of images, each through ``geometry`` first.

        Raises:
            ConfigError: ``batch_size`` below 1.
        """
        check_batch_size(batch_size)
        parts = []
        for start in range(0, len(images), batch_size):
            parts.append(self([geometry(image) for image in images[start : start + batch_size]]))
        if not parts:
            return Outputs(np.empty((0, self.width), np.float32))
        answers, features, cams = zip(*parts, strict=True)
        return Outputs(
            np.concatenate(answers),
            None if features[0] is None else np.concatenate(features),
            None if cams[0] is None else np.concatenate(cams),
        )


def check_outputs(found: Sequence[np.ndarray], name: str, *, rows: int, width: int, dense: bool) -> None:
    """Refuse what a model gives where it is no answer to the pictures it was given.

    NaN compares as false with every limit: it would pass for in scope, and below every threshold.

    Args:
        found: the engine's outputs, the answer first.
        name: of the bundle, for messages.
        rows: pictures in the batch.
        width: second axis of the answer, see ``output_width``.
        dense: the answer is planes.

    Raises:
        ModelError: another shape or type, or numbers that are not finite.
    """
    shapes = [np.shape(output) for output in found]
    wanted_ndim = 4 if dense else 2
    fits = bool(shapes) and shapes[0][:2] == (rows, width) and len(shapes[0]) == wanted_ndim
    if not fits or any(shape[:1] != (rows,) for shape in shapes):
        raise ModelError(
            f"the model of {name} gives the wrong output",
            expected=f"({rows}, {width}{', h, w' if dense else ''})",
            got=", ".join(map(str, shapes[:4])) or "nothing",
            fix="the manifest does not belong to this model",
        )
    kinds = [str(getattr(output, "dtype", type(output).__name__)) for output in found]
    if set(kinds) != {"float32"}:
        raise ModelError(
            f"the model of {name} gives another type", expected="float32", got=", ".join(kinds[:4])
        )
    if not all(np.isfinite(output).all() for output in found):
        raise ModelError(
            f"the model answered NaN or infinity ({name})",
            fix="export the model again, or use another",
            vietnamese=f"mô hình {name} cho kết quả không phải là số hữu hạn; hãy chép hoặc xuất lại gói",
        )


def output_width(task: TaskSpec) -> int:
    """Second axis of the output: labels, embedding dimensions, or a detector's labels and four sides."""
    if task.kind == "embedding":
        return task.embedding_dim or 0
    return len(task.labels) + (4 if task.kind == "detection" else 0)


def check_batch_size(batch_size: int) -> None:
    """Refuse a batch of nothing."""
    if batch_size < 1:
        raise ConfigError("batch_size is wrong", expected="1 or more", got=str(batch_size))


def _averaged(outputs: Outputs, count: int) -> Outputs:
    """The mean of the first ``count`` rows and of the flipped views behind them; maps are flipped back."""
    answer, features, cam = outputs
    if features is not None:
        features = (features[:count] + features[count:]) / np.float32(2)
    if cam is not None:
        cam = (cam[:count] + cam[count:, ..., ::-1]) / np.float32(2)
    return Outputs((answer[:count] + answer[count:]) / np.float32(2), features, cam)
