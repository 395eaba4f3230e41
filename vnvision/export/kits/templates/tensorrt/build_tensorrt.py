"""model.onnx -> a TensorRT engine for the GPU of this very machine, tested before it is kept.

    python build_tensorrt.py --out model.engine [--half] [--batch 8] [--workspace 1.0]

Needs tensorrt 10, cuda-python and this kit. **Never run by its authors, who had no such GPU**: written from
TensorRT's documentation. What it builds is compared with the golden answers from the same 8-bit pictures as
in self_test.py, and is written only if it agrees: within 1e-3 of their spread in float32 (TF32 off), 2e-2 in
half. 8-bit files are not taken: their activations have zero points, which TensorRT has not.

Ends with 0 (written), 1 (it does not agree, nothing written) or 2 (it could not run).
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from model import HERE, KitError, Model, one_line, read_golden

TOLERANCE = {"float32": 1e-3, "half": 2e-2}


def build(path, shape, wanted):
    """The serialised engine."""
    import tensorrt as trt

    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(0)
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(path.read_bytes()):
        raise KitError(f"TensorRT cannot read {path.name}: {one_line(parser.get_error(0))}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, int(wanted.workspace * (1 << 30)))
    config.clear_flag(trt.BuilderFlag.TF32)  # on by default, and off by a thousandth
    if wanted.half:
        config.set_flag(trt.BuilderFlag.FP16)
    profile = builder.create_optimization_profile()
    sides = shape[1:]
    profile.set_shape(network.get_input(0).name, (1, *sides), (1, *sides), (wanted.batch, *sides))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise KitError("TensorRT could not build an engine; run again with its log at INFO to see why")
    return bytes(plan)


class TensorRt:
    """A serialised engine behind the calls of engines.py, one picture at a time."""

    def __init__(self, plan, about):
        import tensorrt as trt
        from cuda.bindings import runtime

        self.cuda, self.names = runtime, about["outputs"]
        self.engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(plan)
        self.context = self.engine.create_execution_context()
        modes = {name: self.engine.get_tensor_mode(name) for name in self._tensors()}
        self.input = next(name for name, mode in modes.items() if mode == trt.TensorIOMode.INPUT)
        self.stream = self._checked(runtime.cudaStreamCreate())

    def run(self, batch):
        """(N, C, h, w) float32 -> the outputs, each (N, ...) float32."""
        rows = [self._row(np.ascontiguousarray(image[None])) for image in batch]
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def _row(self, image):
        self.context.set_input_shape(self.input, image.shape)
        shapes = [tuple(self.context.get_tensor_shape(name)) for name in self.names]
        hosts = [image, *(np.empty(shape, np.float32) for shape in shapes)]
        held = [self._checked(self.cuda.cudaMalloc(host.nbytes)) for host in hosts]
        kinds = self.cuda.cudaMemcpyKind
        try:
            for name, address in zip((self.input, *self.names), held, strict=True):
                self.context.set_tensor_address(name, int(address))
            to_device = (held[0], image.ctypes.data, image.nbytes, kinds.cudaMemcpyHostToDevice)
            self._checked(self.cuda.cudaMemcpy(*to_device))
            if not self.context.execute_async_v3(int(self.stream)):
                raise KitError("TensorRT's inference failed")
            self._checked(self.cuda.cudaStreamSynchronize(self.stream))
            for host, address in zip(hosts[1:], held[1:], strict=True):
                to_host = (host.ctypes.data, address, host.nbytes, kinds.cudaMemcpyDeviceToHost)
                self._checked(self.cuda.cudaMemcpy(*to_host))
            return hosts[1:]
        finally:
            for address in held:
                self.cuda.cudaFree(address)

    def _tensors(self):
        return [self.engine.get_tensor_name(index) for index in range(self.engine.num_io_tensors)]

    @staticmethod
    def _checked(answer):
        """What a CUDA call gave, after its status."""
        status, *rest = answer
        if int(status):
            raise KitError(f"CUDA error {int(status)}")
        return rest[0] if rest else None


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="model.engine", help="file to write")
    parser.add_argument("--half", action="store_true", help="half precision")
    parser.add_argument("--batch", type=int, default=1, help="largest batch")
    parser.add_argument("--workspace", type=float, default=1.0, help="memory for building, GiB")
    wanted = parser.parse_args()
    try:
        model = Model(HERE)  # checks the files, and runs the original ONNX on the CPU
        if not model.about["file"].endswith(".onnx"):
            raise KitError("TensorRT builds from ONNX: use the kit of the target onnx")
        try:
            plan = build(HERE / model.about["file"], model.about["shape"], wanted)
            model.engine = TensorRt(plan, model.about)
        except ImportError as exc:
            raise KitError(f"pip install tensorrt cuda-python ({one_line(exc)})") from exc
        found = model.differences(read_golden(HERE))
    except KitError as exc:
        print(f"build_tensorrt: {exc}", file=sys.stderr)
        return 2
    limit = TOLERANCE["half" if wanted.half else "float32"]
    for name, gap in found.items():
        verdict = "ok" if gap <= limit else "WRONG"
        print(f"{name:<10} relative difference {gap:.3g} (at most {limit:g}) {verdict}")
    if not all(gap <= limit for gap in found.values()):
        print("FAIL: nothing is written")
        return 1
    whole = Path(f"{wanted.out}.tmp")
    whole.write_bytes(plan)
    whole.replace(wanted.out)
    print(f"PASS: {wanted.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
