"""Small bundles, and the kit's scripts: run as an integrator would, or loaded as modules."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import vnvision
from vnvision.atomic import sha256_file, write_text
from vnvision.records import BundleManifest, Licences
from vnvision.spec import BoxSpec, Label, PreprocessSpec, TaskSpec

TEMPLATES = Path(vnvision.__file__).parent / "export" / "kits" / "templates" / "python"
LABELS = (
    Label(id="healthy", vi="lá khỏe", en="healthy leaf"),
    Label(id="spot", vi="đốm, nâu"),
    Label(id="rust"),
)
STATS = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
SCRIPTS = ("engines", "model", "meters", "picture", "answers", "self_test", "example", "bench")


@contextlib.contextmanager
def scripts(folder: Path = TEMPLATES) -> Iterator[SimpleNamespace]:
    """The kit's modules, fresh, under their own short names while the block lasts."""
    before = {name: sys.modules.pop(name, None) for name in SCRIPTS}
    sys.path.insert(0, str(folder))
    try:
        found: dict[str, ModuleType] = {name: importlib.import_module(name) for name in SCRIPTS}
        yield SimpleNamespace(**found)
    finally:
        sys.path.remove(str(folder))
        for name, module in before.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module


def net_of(kind: str, channels: int):
    """Two convolutions; then planes, or a linear layer on means of the left and right half."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            width = {"detection": 7, "segmentation": 3}.get(kind, 8)
            self.first = torch.nn.Conv2d(channels, 8, 3, 2, 1)
            self.second = torch.nn.Conv2d(8, width, 3, 2, 1)
            self.last = torch.nn.Linear(16, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.second(torch.relu(self.first(x)))
            if kind == "segmentation":
                return x
            if kind == "detection":
                return torch.cat([x[:, :3] * 20, x[:, 3:].clamp(-1, 2).exp()], 1)
            x = torch.relu(x)
            half = x.shape[3] // 2
            return self.last(torch.cat([x[..., :half].mean((2, 3)), x[..., half:].mean((2, 3))], 1))

    torch.manual_seed(0)
    return Net()


def task_of(kind: str, **spec: object) -> TaskSpec:
    preprocess = PreprocessSpec(**({"size_px": (24, 36)} | STATS | spec))
    if kind == "embedding":
        return TaskSpec(kind=kind, preprocess=preprocess, embedding_dim=3, score="cosine")
    score = "softmax" if kind in ("classification", "segmentation") else "sigmoid"
    boxes = BoxSpec(stride_px=4, thresholds=(0.6, 0.5, 0.55), nms_iou=0.3) if kind == "detection" else None
    return TaskSpec(kind=kind, preprocess=preprocess, labels=LABELS, score=score, boxes=boxes)


def bundle_of(folder: Path, task: TaskSpec, targets: tuple[str, ...] = ("onnx",), **options: object) -> Path:
    from vnvision.export import export_bundle, golden_images

    licences = Licences(weights="CC-BY-4.0", training_data=("PlantVillage (CC0)",))
    export_bundle(
        net_of(task.kind, task.preprocess.channels), task, folder, name='leaf "A"', targets=targets,
        golden_images=golden_images(None, task.preprocess, 4), licences=licences, **options,
    )  # fmt: skip
    return folder


def resign(folder: Path, manifest: BundleManifest) -> Path:
    """Write a changed manifest with the hash it then needs."""
    manifest.save(folder / "manifest.json")
    write_text(folder / "manifest.sha256", sha256_file(folder / "manifest.json") + "\n")
    return folder


def with_record(folder: Path, to: Path, name: str, **changes: object) -> Path:
    """A copy of a bundle with a further target like ``onnx``, changed."""
    shutil.copytree(folder, to)
    manifest = BundleManifest.load(to / "manifest.json")
    record = manifest.targets["onnx"].model_copy(update=changes)
    return resign(to, manifest.model_copy(update={"targets": {**manifest.targets, name: record}}))


def changed_spec(kit: Path, to: Path, **preprocess: object) -> Path:
    """A copy of a kit whose preprocessing is otherwise."""
    shutil.copytree(kit, to)
    about = json.loads((to / "spec.json").read_text("utf-8"))
    about["preprocess"] |= preprocess
    (to / "spec.json").write_text(json.dumps(about), "utf-8")
    return to


def run(kit: Path, script: str, *words: str) -> SimpleNamespace:
    """A script of the kit, in this process; tests/end_to_end runs them in processes of their own."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, [script, *words]
    try:
        with scripts(kit) as loaded, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = getattr(loaded, script.removesuffix(".py")).main()
    finally:
        sys.argv = argv
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())
