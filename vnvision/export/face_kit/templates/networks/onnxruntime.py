"""ONNX Runtime. ``write_face_kit`` puts this class into the kit's face_chain.py."""


class Network:
    """One network in ONNX Runtime. Nothing is sent home: the variable has to be there before the import."""

    def __init__(self, folder, about, threads):
        import os

        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = str(folder / about["files"][0])
        self.input = about["input"]
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def __call__(self, batch):
        """(N, C, H, W) float32 -> the outputs in order, each (N, ...)."""
        return self.session.run(None, {self.input: batch})
