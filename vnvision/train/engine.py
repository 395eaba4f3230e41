"""The model as one phase drives it: wrapped, compiled, with optimiser and moving average."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from timm.optim import create_optimizer_v2
from timm.utils import ModelEmaV3

from vnvision.models import StagedNet
from vnvision.train import checkpoint
from vnvision.train.config import TrainConfig
from vnvision.train.state import Progress, Run

CENTRES = "centres"


@dataclass(slots=True)
class Engine:
    """What a phase drives."""

    model: Any
    optimiser: Any
    raw_optimiser: torch.optim.Optimizer
    base_lrs: list[float]
    names: dict[int, str]
    ema: ModelEmaV3 | None

    def best_net(self, run: Run) -> StagedNet:
        """The averaged network where one is kept, else the network itself."""
        return run.net if self.ema is None else self.ema.module


def build_optimiser(
    net: torch.nn.Module, config: TrainConfig, lr: float, layer_decay: float | None, *, fused: bool = True
) -> torch.optim.Optimizer:
    """The optimiser over what learns of a network; biases and norms do not decay.

    Args:
        net: the network as it was built.
        config: states the optimiser and its weight decay.
        lr: of the phase.
        layer_decay: of the phase; None and 1.0 are alike.
        fused: one kernel a step, where the optimiser has one.
    """
    extra: dict[str, Any] = {"fused": True} if fused and config.optimiser in ("adamw", "sgd") else {}
    extra |= {"momentum": 0.9} if config.optimiser == "sgd" else {}
    return create_optimizer_v2(
        net,
        opt=config.optimiser,
        lr=lr,
        weight_decay=config.weight_decay,
        layer_decay=layer_decay if layer_decay != 1.0 else None,
        **extra,
    )


def build_engine(run: Run, lr: float, layer_decay: float | None) -> Engine:
    """Optimiser over what learns, memory layout, compilation, processes."""
    config = run.config
    run.net.to(memory_format=torch.channels_last if run.channels_last else torch.contiguous_format)
    # Graphs of an earlier phase must not turn this one's shapes dynamic: a resumed run would not have them.
    torch.compiler.reset()
    # A fused step unscales by itself, after which gradients cannot be clipped.
    raw = build_optimiser(run.net.net, config, lr, layer_decay, fused=loss_scaler(run) is None)
    if run.criterion is not None:
        run.criterion.reset_state()
        raw.add_param_group({"params": [run.criterion.sampled], "weight_decay": config.weight_decay})
        if learnt := list(run.criterion.head.parameters()):  # a bias: decay would pull it to its start
            raw.add_param_group({"params": learnt, "weight_decay": 0.0})
        run.criterion.attach(raw)
    base_lrs = [lr * group.get("lr_scale", 1.0) for group in raw.param_groups]
    net = run.net
    if run.fabric.world_size > 1 and run.device.type == "cuda" and config.sync_bn:
        net.net = torch.nn.SyncBatchNorm.convert_sync_batchnorm(net.net)
    model, optimiser = run.fabric.setup(_compiled(run), raw)
    ema = ModelEmaV3(net, decay=config.ema, use_warmup=True) if config.ema is not None else None
    names = {id(parameter): name for name, parameter in net.net.named_parameters()}
    return Engine(model, optimiser, raw, base_lrs, names, ema)


def _compiled(run: Run) -> Any:
    """The network as the trial chose; with CUDA graphs, where asked for, in place of that."""
    if run.config.cuda_graphs:
        return torch.compile(run.net, dynamic=False, mode="reduce-overhead")
    chosen = run.settings is not None and run.settings.compile
    return torch.compile(run.net, dynamic=False) if chosen else run.net


def loss_scaler(run: Run) -> Any:
    """What scales the loss under float16; None elsewhere."""
    return getattr(run.fabric.strategy.precision, "scaler", None)


def save(run: Run, engine: Engine | None, progress: Progress) -> None:
    """Checkpoint on rank 0; between phases there is no optimiser to keep."""
    progress.seconds = run.seconds
    root = run.folder / "checkpoints"
    centres = _save_centres(run, root, progress)
    if run.fabric.global_rank == 0:
        tensors = {"model": dict(run.net.net.state_dict())}
        if engine is not None:
            tensors["optimiser"] = checkpoint.pack_optimiser(engine.raw_optimiser, engine.names)
            if engine.ema is not None:
                tensors["average"] = dict(engine.ema.module.net.state_dict())
        scaler = run.fabric.strategy.precision.state_dict()
        state = run.state(progress) | {"precision": scaler}
        folder = checkpoint.step_folder(root, progress.serial)
        checkpoint.save(folder, tensors, run.spec, state, parts=centres)
        checkpoint.prune(root)
    run.fabric.barrier()


def _save_centres(run: Run, root: Path, progress: Progress) -> dict[str, Path]:
    """Every rank's class centres in one folder aside, which the checkpoint then takes in."""
    if run.criterion is None:
        return {}
    aside = root / f".{CENTRES}.tmp"
    if run.fabric.global_rank == 0:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
    run.fabric.barrier()
    run.criterion.save_shard(aside, step=progress.serial)
    run.fabric.barrier()
    return {CENTRES: aside}


def load_centres(run: Run, folder: Path, *, optimiser: bool) -> None:
    """Class centres of a checkpoint, written by any number of processes."""
    if run.criterion is not None:
        run.criterion.load_shards(sorted((folder / CENTRES).glob("*.safetensors")), optimiser=optimiser)


def restore(run: Run, engine: Engine, folder: Path) -> None:
    """Optimiser, average and loss scale of a checkpoint; the network itself was loaded before."""
    checkpoint.unpack_optimiser(engine.raw_optimiser, engine.names, checkpoint.load(folder, "optimiser"))
    if engine.ema is not None:
        engine.ema.module.net.load_state_dict(checkpoint.load(folder, "average"))
    load_centres(run, folder, optimiser=True)
    scaler = checkpoint.read_state(folder).get("precision")
    if scaler:
        run.fabric.strategy.precision.load_state_dict(scaler)
