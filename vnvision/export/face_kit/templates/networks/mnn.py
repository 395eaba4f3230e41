"""MNN. ``write_face_kit`` puts this class into the kit's face_chain.py."""

import numpy as np


class Network:
    """One network in MNN, one image at a time, planned anew where the size of the input changes."""

    def __init__(self, folder, about, threads):
        import ctypes
        import os

        flush = ctypes.CDLL(None).fflush if os.name == "posix" else lambda _: None
        before = os.dup(1)
        flush(None)
        os.dup2(2, 1)  # MNN greets on standard output when it is imported
        try:
            import MNN
        finally:
            flush(None)
            os.dup2(before, 1)
            os.close(before)
        self.mnn, self.names, self.shape = MNN, about["outputs"], None
        self.net = MNN.Interpreter(str(folder / about["files"][0]))
        settings = {"backend": "CPU", "numThread": threads, "precision": "normal"}
        self.session = self.net.createSession(settings)
        self.entry = self.net.getSessionInput(self.session)

    def tensor(self, values):
        """A tensor of MNN's in plain (N, C, H, W) order."""
        kind, order = self.mnn.Halide_Type_Float, self.mnn.Tensor_DimensionType_Caffe
        return self.mnn.Tensor(values.shape, kind, values, order)

    def __call__(self, batch):
        """(N, C, H, W) float32 -> the outputs in order, each (N, ...)."""
        shape = (1, *batch.shape[1:])
        if shape != self.shape:
            self.net.resizeTensor(self.entry, shape)
            self.net.resizeSession(self.session)
            self.shape, self.ends = shape, self.net.getSessionOutputAll(self.session)
        rows = []
        for image in batch:
            self.entry.copyFrom(self.tensor(np.ascontiguousarray(image[None])))
            if self.net.runSession(self.session):
                raise RuntimeError("MNN could not run the network")
            rows.append([self.result(self.ends[name]) for name in self.names])
        return [np.concatenate(column) for column in zip(*rows, strict=True)]

    def result(self, end):
        """One output, copied out of MNN's memory."""
        host = self.tensor(np.zeros(end.getShape(), np.float32))
        end.copyToHostTensor(host)
        return np.array(host.getNumpyData())
