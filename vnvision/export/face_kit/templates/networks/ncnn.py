"""ncnn. ``write_face_kit`` puts this class into the kit's face_chain.py."""

import numpy as np


class Network:
    """One network in ncnn, one image at a time, in float32: ncnn by itself would use half precision."""

    def __init__(self, folder, about, threads):
        import ncnn

        self.mat, self.net = ncnn.Mat, ncnn.Net()
        self.input, self.outputs = about["input"], about["outputs"]
        self.net.opt.num_threads = threads
        for name in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
            if hasattr(self.net.opt, "use_" + name):
                setattr(self.net.opt, "use_" + name, False)
        param, weights = (str(folder / name) for name in about["files"])
        if self.net.load_param(param) or self.net.load_model(weights):
            raise RuntimeError("ncnn cannot load " + param)

    def __call__(self, batch):
        """(N, C, H, W) float32 -> the outputs in order, each (N, ...)."""
        rows = []
        for image in batch:
            extractor = self.net.create_extractor()
            extractor.input(self.input, self.mat(image).clone())
            rows.append([np.array(extractor.extract(name)[1]) for name in self.outputs])
        return [np.stack(column) for column in zip(*rows, strict=True)]
