"""What the Predictor costs on top of the bare engine call, and whether memory stays flat.

One run takes turns between the engine's own call, our adapter, and ``Predictor.predict`` on images of each
size, so that a busy neighbour touches all of them alike. Prints JSON.

    python training/benchmarks/predictor_overhead.py
    python training/benchmarks/predictor_overhead.py --bundle path/to/bundle --engines onnxruntime ncnn
"""

from __future__ import annotations

import argparse
import gc
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
from vnvision.export import export_bundle, golden_images
from vnvision.records import Licences
from vnvision.runtime import Predictor, load_bundle
from vnvision.spec import Label, PreprocessSpec, TaskSpec

MODEL, CLASSES, SIZE_PX = "tf_efficientnet_lite0", 10, 224


def random_bundle(folder: Path, engines: list[str]) -> Path:
    """A bundle of a network with random weights: speed does not depend on what it knows."""
    import timm
    import torch

    torch.manual_seed(0)
    module = timm.create_model(MODEL, pretrained=False, num_classes=CLASSES).eval()
    spec = PreprocessSpec(
        size_px=(SIZE_PX, SIZE_PX),
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        interpolation="bilinear",
    )
    labels = tuple(Label(id=f"class_{i}") for i in range(CLASSES))
    export_bundle(
        module,
        TaskSpec(kind="classification", preprocess=spec, labels=labels),
        folder / "bundle",
        name=f"{MODEL} with random weights",
        targets=["onnx" if engine == "onnxruntime" else engine for engine in engines],
        golden_images=golden_images(None, spec, 2),
        licences=Licences(weights="none: random"),
    )
    return folder / "bundle"


def bare_call(engine: Engine, batch: np.ndarray) -> Callable[[], Any]:
    """The engine's own Python call on a ready picture, all outputs to numpy, without our adapter."""
    inner: Any = engine
    if engine.name == "onnxruntime":
        feed = {inner._input: batch}
        return lambda: inner._session.run(None, feed)
    return {"openvino": _openvino, "ncnn": _ncnn, "mnn": _mnn, "litert": _litert, "executorch": _executorch,
            "torch": _torch}[engine.name](inner, batch)  # fmt: skip


def _openvino(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    request, tensor = inner._request, inner._ov.Tensor(batch, shared_memory=True)

    def call() -> list[np.ndarray]:
        request.set_input_tensor(tensor)
        request.infer()
        return [np.array(request.get_output_tensor(i).data) for i in range(len(inner.output_names))]

    return call


def _ncnn(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    net, mat, image = inner._net, inner._ncnn.Mat, batch[0]

    def call() -> list[np.ndarray]:
        extractor = net.create_extractor()
        extractor.input(inner._input, mat(image).clone())
        return [np.array(extractor.extract(name)[1]) for name in inner.output_names]

    return call


def _mnn(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    inner.run(batch)  # plans the session
    given, *taken = inner._held

    def call() -> list[np.ndarray]:
        inner._entry[0] = batch[0]
        inner._input.copyFrom(given)
        inner._net.runSession(inner._session)
        for name, host in zip(inner.output_names, taken, strict=True):
            inner._outputs[name].copyToHostTensor(host)
        return [row.copy() for row in inner._rows]

    return call


def _litert(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    value = np.ascontiguousarray(batch.transpose(0, 2, 3, 1)) if inner._nhwc else batch
    return lambda: inner._runner(input=value)


def _executorch(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    value = inner._torch.from_numpy(batch)
    return lambda: [item.numpy() for item in inner._method((value,), clone_outputs=True)]


def _torch(inner: Any, batch: np.ndarray) -> Callable[[], Any]:
    import torch

    module, value = torch.export.load(inner.path).module(), torch.from_numpy(batch)

    def call() -> list[np.ndarray]:
        with torch.inference_mode():
            return [item.numpy() for item in module(value)]

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
        bundle = args.bundle or random_bundle(Path(folder), args.engines)
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
