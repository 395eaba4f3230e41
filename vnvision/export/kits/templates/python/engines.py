"""Engines, each behind the same two calls. Needs numpy and the engine's own package.

They run as the model was proven: on the CPU, float arithmetic in float32, telemetry off.
"""

import os
import sys

import numpy as np


class OnnxRuntime:
    """pip install onnxruntime."""

    def __init__(self, path, about, threads):
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before the import: it sends events by default
        import onnxruntime as ort

        ort.disable_telemetry_events()
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.outputs = about["outputs"]
        self.session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0].name

    def run(self, batch):
        """(N, C, h, w) float32 -> the outputs, each (N, ...) float32, in the order of spec.json."""
        return self.session.run(self.outputs, {self.input: batch})


class OpenVino:
    """pip install openvino."""

    def __init__(self, path, about, threads):
        sys.modules.setdefault("openvino_telemetry", None)  # so that it reports to nobody
        import openvino

        # One for the process: two that end in the wrong order leave it without a stack for signals.
        core = openvino.kept_core = getattr(openvino, "kept_core", None) or openvino.Core()
        # Without the last, processors that have bfloat16 compute in it: faster, and off by half a percent.
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        options["INFERENCE_NUM_THREADS"] = threads
        self.tensor, self.count = openvino.Tensor, len(about["outputs"])
        self.request = core.compile_model(core.read_model(path), "CPU", options).create_infer_request()

    def run(self, batch):
        """As above; its buffers serve the next call, hence the copies."""
        self.request.set_input_tensor(self.tensor(batch, shared_memory=True))
        self.request.infer()
        return [self.request.get_output_tensor(index).data.copy() for index in range(self.count)]


class Ncnn:
    """pip install ncnn. One picture at a time."""

    def __init__(self, path, about, threads):
        import ncnn

        self.mat, self.input, self.outputs = ncnn.Mat, about["input"], about["outputs"]
        self.net = ncnn.Net()
        self.net.opt.num_threads, self.net.opt.lightmode = threads, True
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            setattr(self.net.opt, f"use_{name}", False)
        for load, file in ((self.net.load_param, path), (self.net.load_model, path.with_suffix(".bin"))):
            if load(str(file)):
                raise ValueError(f"{file.name} is refused")

    def run(self, batch):
        """As above."""
        return by_rows(self.row, batch)

    def row(self, image):
        """The outputs of one picture (C, h, w)."""
        extractor = self.net.create_extractor()
        extractor.input(self.input, self.mat(image).clone())
        return [np.array(extractor.extract(name)[1]) for name in self.outputs]


class LiteRt:
    """pip install ai-edge-litert. One picture at a time; the file's signature says how its input lies."""

    def __init__(self, path, about, threads):
        from ai_edge_litert.interpreter import Interpreter

        self.model = Interpreter(model_content=path.read_bytes(), num_threads=threads)
        self.layout = next(iter(self.model.get_signature_list()))
        self.runner = self.model.get_signature_runner(self.layout)

    def run(self, batch):
        """As above."""
        return by_rows(self.row, batch)

    def row(self, image):
        """The outputs of one picture (C, h, w)."""
        image = image.transpose(1, 2, 0) if self.layout == "nhwc" else image
        found = self.runner(input=np.ascontiguousarray(image[None]))
        return [found[key][0].astype(np.float32) for key in sorted(found)]  # 00_output, 01_features ...


class Mnn:
    """pip install MNN. One picture at a time."""

    def __init__(self, path, about, threads):
        import MNN

        self.net = MNN.Interpreter(str(path))
        options = {"backend": "CPU", "numThread": threads, "precision": "normal"}
        self.session = self.net.createSession(options)
        self.input = next(iter(self.net.getSessionInputAll(self.session).values()))
        self.net.resizeTensor(self.input, tuple(about["shape"]))
        self.net.resizeSession(self.session)
        found = self.net.getSessionOutputAll(self.session)
        self.outputs = [found[name] for name in about["outputs"]]
        shapes = [tuple(about["shape"]), *(tuple(item.getShape()) for item in self.outputs)]
        kind, order = MNN.Halide_Type_Float, MNN.Tensor_DimensionType_Caffe
        self.held = [MNN.Tensor(shape, kind, np.zeros(shape, np.float32), order) for shape in shapes]
        self.views = [item.getNumpyData() for item in self.held]

    def run(self, batch):
        """As above."""
        return by_rows(self.row, batch)

    def row(self, image):
        """The outputs of one picture (C, h, w)."""
        self.views[0][0] = image
        self.input.copyFrom(self.held[0])
        if self.net.runSession(self.session):
            raise ValueError("inference failed")
        for output, held in zip(self.outputs, self.held[1:], strict=True):
            output.copyToHostTensor(held)
        return [view[0].copy() for view in self.views[1:]]


class ExecuTorch:
    """pip install executorch torch: its Python runtime takes torch's tensors; its C++ library needs none."""

    def __init__(self, path, about, threads):
        import torch
        from executorch.extension.pybindings import _C

        self.torch, self.data = torch, path.read_bytes()  # the program points into these bytes
        if _C._threadpool_get_thread_count() != threads:
            _C._unsafe_reset_threadpool(threads)
        self.program = _C._load_program_from_buffer(self.data)
        self.method = self.program.load_method("forward")

    def run(self, batch):
        """As above."""
        return by_rows(self.row, batch)

    def row(self, image):
        """The outputs of one picture (C, h, w)."""
        found = self.method((self.torch.tensor(image[None]),), clone_outputs=True)
        return [item.numpy()[0] for item in found]


class Torch:
    """pip install torch. torch.export.load trusts its file, whose SHA-256 was compared before."""

    def __init__(self, path, about, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.net = torch, torch.export.load(path).module()

    def run(self, batch):
        """As above."""
        with self.torch.inference_mode():
            found = self.net(self.torch.from_numpy(batch))
        return [np.array(item) for item in (found if isinstance(found, tuple | list) else [found])]


class Rknn:
    """pip install rknn-toolkit-lite2, on the board. Takes pixels (N, h, w, C) uint8 and normalises inside.

    Written from Rockchip's documentation; run self_test.py on the board before anything else.
    """

    takes_pixels = True

    def __init__(self, path, about, threads):
        from rknnlite.api import RKNNLite

        self.model = RKNNLite(verbose=False)
        if self.model.load_rknn(str(path)) or self.model.init_runtime():
            raise ValueError(f"it does not start on this board; it is for {about['target']}")

    def run(self, batch):
        """As above, one picture at a time."""
        return by_rows(self.row, batch)

    def row(self, pixels):
        """The outputs of one picture (h, w, C)."""
        return [np.asarray(item[0], np.float32) for item in self.model.inference(inputs=[pixels[None]])]


ENGINES = {
    "onnxruntime": (OnnxRuntime, "onnxruntime"), "openvino": (OpenVino, "openvino"), "ncnn": (Ncnn, "ncnn"),
    "litert": (LiteRt, "ai-edge-litert"), "mnn": (Mnn, "MNN"), "executorch": (ExecuTorch, "executorch torch"),
    "torch": (Torch, "torch"), "rknn": (Rknn, "rknn-toolkit-lite2"),
}  # fmt: skip


def by_rows(row, batch):
    """The outputs of a batch from an engine that takes one picture at a time."""
    return [np.stack(column) for column in zip(*map(row, batch), strict=True)]
