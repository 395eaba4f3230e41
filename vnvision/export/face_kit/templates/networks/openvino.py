"""OpenVINO. ``write_face_kit`` puts this class into the kit's face_chain.py."""


class Network:
    """One network in OpenVINO, in float32. The package that would report home is hidden from its import."""

    def __init__(self, folder, about, threads):
        import sys

        sys.modules.setdefault("openvino_telemetry", None)
        import openvino

        # One for the process: two that end in the wrong order leave it without a stack for signals.
        core = openvino.kept_core = getattr(openvino, "kept_core", None) or openvino.Core()
        self.openvino = openvino
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        model = core.read_model(str(folder / about["files"][0]))
        compiled = core.compile_model(model, "CPU", {**hints, "INFERENCE_NUM_THREADS": threads})
        self.request, self.count = compiled.create_infer_request(), len(compiled.outputs)

    def __call__(self, batch):
        """(N, C, H, W) float32 -> the outputs in order, each (N, ...)."""
        self.request.set_input_tensor(self.openvino.Tensor(batch, shared_memory=True))
        self.request.infer()
        return [self.request.get_output_tensor(i).data.copy() for i in range(self.count)]
