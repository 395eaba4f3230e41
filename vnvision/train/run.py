"""One training run from configuration to report: prepare, train or resume, evaluate, write."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vnvision import atomic
from vnvision.data.manifest import Manifest
from vnvision.data.sampling import class_weights, log_prior
from vnvision.errors import ConfigError, ModelError
from vnvision.imaging import Preprocessor
from vnvision.losses.partial_fc import PartialFC
from vnvision.models import StagedNet
from vnvision.spec import TaskSpec
from vnvision.tasks import Task, build_task
from vnvision.train import checkpoint
from vnvision.train.allocator import keep_freed_memory
from vnvision.train.checks import changed_settings
from vnvision.train.config import MONITORS, TrainConfig, to_yaml
from vnvision.train.data import Part
from vnvision.train.energy import EnergyMeter
from vnvision.train.engine import load_centres
from vnvision.train.faces import build_criterion, build_pull, embedding_task, reading, with_lora
from vnvision.train.finish import finish
from vnvision.train.logs import RunLog
from vnvision.train.network import build_network
from vnvision.train.phase import run_phase
from vnvision.train.prepare import parts, task_spec
from vnvision.train.protocols import protocol_figures
from vnvision.train.resident import device_bytes, keeps_resident
from vnvision.train.state import Progress, Run, Settings
from vnvision.train.teachers import build_teaching

PACKAGES = (
    "vnvision",
    "torch",
    "torchvision",
    "timm",
    "albumentations",
    "lightning",
    "numpy",
    "opencv-python",
)


def train(config: TrainConfig, *, quiet: bool = False) -> Path:
    """Train, evaluate, and leave a run folder.

    The folder holds ``config.yaml`` (resolved), ``run.json``, ``log.csv``, ``tensorboard/``,
    ``checkpoints/``, ``best/``, ``report.json`` and ``report.html``.

    Args:
        config: a checked configuration with ``output`` set.
        quiet: nothing on screen.

    Returns:
        The run folder.

    Raises:
        ConfigError: the output folder is not empty and ``resume`` is off, or it belongs to another config.
        DataError: the manifest or a picture is wrong.
        ModelError: weights do not fit, or the loss left the finite numbers.
    """
    if config.output is None:
        raise ConfigError("no output folder", fix="add output=DIR")
    folder = Path(config.output)
    threads = _threads(config, folder)
    fabric = _fabric(config)
    if config.cuda_graphs and fabric.device.type != "cuda":
        raise ConfigError("cuda_graphs needs CUDA", got=fabric.device.type, fix="use cuda_graphs=false")
    if fabric.device.type == "cpu":
        keep_freed_memory()
    if fabric.global_rank == 0:
        _claim(folder, config)
    fabric.barrier()
    meter = EnergyMeter()
    run, progress, resumed = _prepare(config, folder, fabric, threads, quiet)
    whole = resumed is None
    while progress.phase < len(config.phases):
        run_phase(run, progress, resumed if progress.step else None)
        resumed = None
    if fabric.global_rank == 0:
        joules = meter.stop() if whole else None  # of a resumed run only the last stretch is known
        finish(run)
        told = {"finished": True, "energy_joules": joules}
        atomic.write_json(folder / "run.json", run.state(progress) | told)
        _link_latest(folder)
    fabric.barrier()
    run.log.close()
    return folder


def _prepare(
    config: TrainConfig, folder: Path, fabric: Any, threads: int, quiet: bool
) -> tuple[Run, Progress, Path | None]:
    train_part, val_part, manifest = parts(config)
    spec = task_spec(config, manifest)
    latest = checkpoint.latest(folder / "checkpoints") if config.resume else None
    state = checkpoint.read_state(latest) if latest else None
    progress = Progress.from_dict(state["progress"]) if state else Progress()
    torch.manual_seed(config.seed)
    net = _network(config, spec, latest).to(fabric.device)
    criterion = None
    if config.embedding is not None:
        criterion = build_criterion(config.embedding, int(train_part.raw.max()) + 1, config.seed)
        criterion = None if criterion is None else criterion.to(fabric.device)
    task = _task(config, spec, train_part, criterion)
    main = fabric.global_rank == 0
    log = RunLog(
        folder,
        tensorboard=config.tensorboard and main,
        quiet=quiet or not main,
        keep_until=progress.serial if latest else None,
        write=main,
        figures=(*MONITORS[config.task], *protocol_figures(config)),
    )
    facts = _facts(manifest, fabric, threads) | {"resident": _resident(config, folder, fabric, train_part)}
    preprocessor = Preprocessor(reading(spec.preprocess))
    run = Run(config, folder, fabric, net, task, spec, preprocessor, train_part, val_part, log, facts)
    run.settings = _kept_settings(folder) if config.resume else None
    run.seconds_before = progress.seconds
    run.criterion = criterion
    if latest:
        load_centres(run, latest, optimiser=False)
    counts = f"{len(train_part)} training and {len(val_part)} validation pictures"
    log.say(f"{config.name}: {counts}, {threads} threads")
    if latest:
        log.say(f"resuming after step {progress.serial} (phase {progress.phase})")
    checkpoint.recover(folder / "best")
    return run, progress, latest


def _task(config: TrainConfig, spec: TaskSpec, train_part: Part, criterion: PartialFC | None) -> Task:
    if config.embedding is None:
        balanced = config.balance == "loss"
        weights = class_weights(train_part.raw, len(spec.labels)) if balanced else None
        tau = config.logit_adjust
        return build_task(
            spec,
            label_smoothing=config.label_smoothing,
            class_weights=weights,
            teaching=build_teaching(config.distill, spec),
            log_prior=tau * log_prior(train_part.raw, len(spec.labels)) if tau else None,
        )
    distill = config.embedding.distill
    start = None
    if distill is not None and distill.teacher == "start":
        start = build_network(config.model_dump(), spec, weights=config.weights, rounds=False)
    return embedding_task(spec, config.embedding, criterion, build_pull(distill, start, spec.preprocess))


def _network(config: TrainConfig, spec: TaskSpec, latest: Path | None) -> StagedNet:
    net = build_network(config.model_dump(), spec, weights="none" if latest else config.weights)
    if config.embedding is not None:
        with_lora(net, config.embedding)
    if latest:
        net.load_state_dict(checkpoint.load(latest, "model"))
    return StagedNet(net)


def _fabric(config: TrainConfig) -> Any:
    # Importing Fabric takes seconds, so it waits until a run begins.
    from lightning.fabric import Fabric

    accelerator = config.accelerator
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    world = int(os.environ.get("WORLD_SIZE", "1"))
    devices: Any = config.devices
    if "LOCAL_WORLD_SIZE" in os.environ:
        devices = int(os.environ["LOCAL_WORLD_SIZE"])
    elif devices == "auto":
        devices = 1
    precision = config.precision
    if precision == "auto":
        precision = "bf16-mixed" if accelerator == "cuda" and torch.cuda.is_bf16_supported() else "32-true"
    nodes = max(config.num_nodes, world // max(1, devices))
    fabric = Fabric(
        accelerator=accelerator,
        devices=devices,
        num_nodes=nodes,
        precision=precision,
        strategy="ddp" if world > 1 or devices > 1 else "auto",
    )
    fabric.launch()
    return fabric


def _threads(config: TrainConfig, folder: Path) -> int:
    """Threads as configured, as the run began with, or one a core: results depend on it in the last bits."""
    kept = _read(folder / "run.json").get("threads") if config.resume else None
    share = max(1, (os.cpu_count() or 1) // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    threads = int(config.threads or kept or share)
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    return threads


def _claim(folder: Path, config: TrainConfig) -> None:
    """Make the folder this run's own, before anything long starts."""
    occupied = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    if occupied and not config.resume:
        raise ConfigError(
            f"output {folder} is not empty", fix="choose another output, or add resume=true to go on with it"
        )
    if occupied:
        before = _read(folder / "run.json").get("config")
        if before is None:
            raise ConfigError(f"cannot resume {folder}", expected="run.json of a run", got="none")
        if changed := changed_settings(config, before, free=("resume", "output", "card")):
            raise ConfigError(f"cannot resume {folder} with another configuration", got=", ".join(changed))
        return
    folder.mkdir(parents=True, exist_ok=True)
    # run.json first: a kill between the two leaves a folder that can still be resumed.
    facts = {"config": config.model_dump(mode="json"), "threads": torch.get_num_threads()}
    atomic.write_json(folder / "run.json", facts)
    atomic.write_text(folder / "config.yaml", to_yaml(config))


def _kept_settings(folder: Path) -> Settings | None:
    kept = _read(folder / "run.json").get("settings")
    return None if kept is None else Settings(**kept)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ModelError(f"{path} is damaged", got=str(exc)) from exc
    return values


def _resident(config: TrainConfig, folder: Path, fabric: Any, part: Part) -> bool:
    """Decided once a run: the random numbers of augmentation differ between the two ways."""
    kept = _read(folder / "run.json").get("resident") if config.resume else None
    if kept is None:
        side = max(phase.size_px or config.size_px for phase in config.phases)
        slower = config.resident == "auto" and fabric.device.type == "cpu"  # than workers, as measured
        kept = not slower and keeps_resident(config.resident, len(part), side, device_bytes(fabric.device))
    return bool(fabric.broadcast(kept))


def _facts(manifest: Manifest, fabric: Any, threads: int) -> dict[str, Any]:
    on_gpu = fabric.device.type == "cuda"
    device = torch.cuda.get_device_name(fabric.device) if on_gpu else platform.machine()
    return {
        "manifest": {"path": str(manifest.path), "sha256": manifest.sha256},
        "commit": commit(),
        "versions": {name: version(name) for name in PACKAGES},
        "hardware": {"device": device, "cores": os.cpu_count(), "processes": fabric.world_size},
        "threads": threads,
        "arithmetic": _arithmetic(fabric),
        "numpy": np.__version__,
    }


def _arithmetic(fabric: Any) -> dict[str, Any]:
    """In what types a run computes; TF32 is torch's own setting, which is left as it is."""
    cuda = fabric.device.type == "cuda"
    return {
        "network": fabric.strategy.precision.precision,
        "tf32_products": cuda and torch.backends.cuda.matmul.allow_tf32,
        "tf32_convolutions": cuda and torch.backends.cudnn.allow_tf32,
    }


def commit() -> str | None:
    """Short commit of the source tree, with ``+`` where it was changed; None outside git."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "--", "."], cwd=here, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return head.stdout.strip() + ("+" if dirty.stdout.strip() else "")


def _link_latest(folder: Path) -> None:
    """``.latest`` beside the run folder points at the run that ended last."""
    link = folder.parent / ".latest"
    aside = folder.parent / f".latest.{os.getpid()}.tmp"
    try:
        aside.unlink(missing_ok=True)
        aside.symlink_to(folder.name, target_is_directory=True)
        aside.replace(link)
    except OSError:  # a file system without links: the run itself is complete
        aside.unlink(missing_ok=True)
