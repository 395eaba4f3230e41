"""What the Predictor costs on top of the bare engine call, and whether memory stays flat.

One run takes turns between the engine's own call, our adapter, and ``Predictor.predict`` on images of each
size, so that a busy neighbour touches all of them alike. Prints JSON.

    python training/benchmarks/predictor_overhead.py
    python training/benchmarks/predictor_overhead.py --bundle path/to/bundle --engines onnxruntime
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vnvision.engines import Engine, available_engines
from vnvision.engines.openvino import import_openvino
from vnvision.records import BundleManifest, Licences, TargetRecord
from vnvision.runtime import Predictor, load_bundle
from vnvision.spec import Label, PreprocessSpec, TaskSpec

MODEL, CLASSES, SIZE_PX = "tf_efficientnet_lite0", 10, 224


def random_bundle(folder: Path) -> Path:
    """A bundle of a network with random weights: speed does not depend on what it knows."""
    import timm
    import torch

    torch.manual_seed(0)
    module = timm.create_model(MODEL, pretrained=False, num_classes=CLASSES).eval()
    example = torch.zeros(2, 3, SIZE_PX, SIZE_PX)
    torch.onnx.export(
        module,
        (example,),
        str(folder / "model.onnx"),
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    ov = import_openvino()
    (folder / "openvino").mkdir()
    model = ov.Core().read_model(folder / "model.onnx")
    ov.save_model(model, folder / "openvino" / "model.xml", compress_to_fp16=False)
    np.savez(folder / "golden.npz", images=np.zeros((0, SIZE_PX, SIZE_PX, 3), np.uint8))
    spec = PreprocessSpec(
        size_px=(SIZE_PX, SIZE_PX),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation="bilinear",
    )
    labels = tuple(Label(id=f"class_{i}") for i in range(CLASSES))
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    manifest = BundleManifest(
        name=f"{MODEL} with random weights",
        task=TaskSpec(kind="classification", preprocess=spec, labels=labels),
        targets={
            "onnx": TargetRecord(file="model.onnx", engine="onnxruntime"),
            "openvino": TargetRecord(
                file="openvino/model.xml", engine="openvino", extra_files=("openvino/model.bin",)
            ),
        },
        files={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names},
        licences=Licences(weights="none: random"),
    )
    manifest.save(folder / "manifest.json")
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    (folder / "manifest.sha256").write_text(digest + "\n")
    return folder


def bare_call(engine: Engine, batch: np.ndarray) -> Callable[[], Any]:
    """The engine's own Python call on a ready batch, without our adapter."""
    inner: Any = engine
    if engine.name == "onnxruntime":
        feed = {inner._input: batch}
        return lambda: inner._session.run(None, feed)
    request, tensor = inner._request, inner._ov.Tensor(batch, shared_memory=True)

    def call() -> np.ndarray:
        request.set_input_tensor(tensor)
        request.infer()
        return np.array(request.get_output_tensor(0).data)

    return call


def resident_bytes() -> int:
    """Memory of this process in RAM (Linux)."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def measure(model: Predictor, sizes: list[int], rounds: int, warmup: int) -> dict[str, Any]:
    """Median milliseconds of each step, and of the extra over the bare call of the same round.

    The 10th percentile is there for machines with neighbours: it is close to what a quiet one would show.
    """
    rng = np.random.default_rng(0)
    images = {size: rng.integers(0, 256, (size, size, 3), dtype=np.uint8) for size in sizes}
    ready = model.preprocessor.batch([images[sizes[0]]])
    calls: dict[str, Callable[[], Any]] = {
        "bare": bare_call(model.engine, ready),
        "adapter": lambda: model.engine.run(ready),
    }
    calls |= {f"predict_{size}": lambda image=image: model.predict(image) for size, image in images.items()}
    calls |= {
        f"preprocess_{size}": lambda image=image: model.preprocessor(image) for size, image in images.items()
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    order = list(calls)
    for turn in range(warmup + rounds):
        for name in order[turn % len(order) :] + order[: turn % len(order)]:
            start = time.perf_counter()
            calls[name]()
            if turn >= warmup:
                times[name].append((time.perf_counter() - start) * 1000)
    result: dict[str, Any] = {
        f"{name}_ms": round(statistics.median(values), 4) for name, values in times.items()
    }
    fast = {name: float(np.percentile(values, 10)) for name, values in times.items()}
    result |= {f"{name}_ms_p10": round(value, 4) for name, value in fast.items()}
    for name in order[1 : 2 + len(sizes)]:
        extra = [value - bare for value, bare in zip(times[name], times["bare"], strict=True)]
        ratio = statistics.median(times[name]) / statistics.median(times["bare"])
        result[f"{name}_ratio"] = round(ratio, 4)
        result[f"{name}_ratio_p10"] = round(fast[name] / fast["bare"], 4)
        result[f"{name}_extra_ms_paired"] = round(statistics.median(extra), 4)
    return result


def memory(model: Predictor, size: int, predictions: int) -> dict[str, Any]:
    """Growth of resident memory over many predictions, after 500 that fill the caches."""
    image = np.random.default_rng(1).integers(0, 256, (size, size, 3), dtype=np.uint8)
    for _ in range(500):
        model.predict(image)
    before = resident_bytes()
    for _ in range(predictions):
        model.predict(image)
    return {"predictions": predictions, "rss_growth_bytes": resident_bytes() - before, "rss_bytes": before}


def main() -> None:
    """Parse, measure each engine, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bundle", type=Path, help="a bundle; without it one with random weights is made")
    parser.add_argument("--engines", nargs="+", default=list(available_engines()), help="which engines")
    parser.add_argument("--sizes", nargs="+", type=int, default=[SIZE_PX, 500], help="image sides in pixels")
    parser.add_argument("--threads", type=int, help="threads of an inference")
    parser.add_argument("--rounds", type=int, default=400, help="timed rounds")
    parser.add_argument("--warmup", type=int, default=50, help="rounds before the clock starts")
    parser.add_argument("--predictions", type=int, default=10_000, help="predictions for the memory check")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = args.bundle or random_bundle(Path(folder))
        report: dict[str, Any] = {"machine": platform.machine(), "cpus": os.cpu_count(), "engines": {}}
        for engine in args.engines:
            model = load_bundle(bundle, engine=engine, threads=args.threads)
            report["model"] = model.name
            report["engines"][engine] = measure(model, args.sizes, args.rounds, args.warmup) | memory(
                model, args.sizes[-1], args.predictions
            )
            model.close()
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
