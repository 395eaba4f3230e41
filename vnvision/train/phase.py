"""One phase of training: the loop itself."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from vnvision import atomic
from vnvision.data.identities import IdentityBatches
from vnvision.errors import ModelError
from vnvision.losses.partial_fc import clip_grad_norm_, share_overflow
from vnvision.tasks import Batch
from vnvision.tasks.mix import mix
from vnvision.train import checkpoint
from vnvision.train.data import Steps, balanced_weights
from vnvision.train.engine import Engine, build_engine, loss_scaler, restore, save
from vnvision.train.faces import learn_lora_only, plain_state
from vnvision.train.inputs import Feed, adapt_norms, cached_feed, picture_feed
from vnvision.train.integers import measure_ranges
from vnvision.train.schedule import warmup_cosine
from vnvision.train.state import Progress, Run
from vnvision.train.trial import choose_settings
from vnvision.train.validate import Validator, rank_figures


class Meter:
    """Mean loss, speed and waiting since the last row."""

    def __init__(self) -> None:
        self.loss, self.steps, self.images, self.wait = 0.0, 0, 0, 0.0
        self.began = time.perf_counter()

    def add(self, loss: float, images: int) -> None:
        """Count one optimiser step."""
        self.loss += loss
        self.steps += 1
        self.images += images


def run_phase(run: Run, progress: Progress, resumed: Path | None) -> None:
    """Train one phase from ``progress.step`` to its end, validating and saving on the way.

    Args:
        run: the run.
        progress: changed in place; at the end it stands at the next phase.
        resumed: the checkpoint to take optimiser and average from; None at a phase's start.

    Raises:
        ModelError: the loss is no longer finite.
    """
    config = run.config
    phase = config.phases[progress.phase]
    run.net.freeze_before(phase.train)
    learn_lora_only(run.net.net)
    run.net.to(memory_format=torch.channels_last if run.channels_last else torch.contiguous_format)
    size_px, augment = phase.size_px or config.size_px, config.phase_augment(progress.phase)
    if phase.adapt_norm and progress.step == 0:
        adapt_norms(run, size_px, augment, phase.adapt_norm)
    if progress.serial == 0:
        measure_ranges(run)
    if phase.cache_views:
        feed = cached_feed(run, size_px, augment, phase.cache_views)
    else:
        feed = picture_feed(run, size_px, augment)
    per_epoch = _steps(run, 0, 0).per_epoch
    total = per_epoch * config.phase_epochs(progress.phase)
    if run.settings is None and not phase.cache_views:
        _choose(run, feed, progress, total)
    engine = build_engine(run, phase.lr or config.lr, phase.layer_decay or config.layer_decay)
    if resumed is not None:
        restore(run, engine, resumed)
    validator = Validator(run, cache=phase.cache_views > 0)
    every = config.checkpoint_steps or per_epoch
    batches, meter, done = feed(_steps(run, progress.step, total)), Meter(), False
    while not done:
        loss = train_step(run, engine, progress, batches, total, meter)
        meter.add(loss, config.batch_size * config.accumulate)
        progress.step += 1
        progress.serial += 1
        run.log.advance(progress.phase, progress.step, total)
        done = progress.step == total
        if done or progress.step % per_epoch == 0:
            epoch = math.ceil(progress.step / per_epoch)
            due = done or (phase.validate_every > 0 and epoch % phase.validate_every == 0)
            figures = validator.figures(engine.best_net(run)) if due else {}
            _report(run, engine, progress, epoch, meter, figures)
            done = done or _out_of_patience(run, progress)
            meter = Meter()
        if done:
            _finish(run, engine, progress)
        elif progress.serial % every == 0:
            save(run, engine, progress)


def train_step(
    run: Run, engine: Engine, progress: Progress, batches: Iterator[Batch], total: int, meter: Meter
) -> float:
    """One optimiser step over ``accumulate`` micro-batches; gives the mean loss."""
    config = run.config
    factor = warmup_cosine(
        progress.step, total, warmup=int(config.warmup * total), min_ratio=config.min_lr_ratio
    )
    for group, base in zip(engine.raw_optimiser.param_groups, engine.base_lrs, strict=True):
        group["lr"] = base * factor
    run.net.train()
    loss_sum = 0.0
    for micro in range(config.accumulate):
        waited = time.perf_counter()
        batch = next(batches)
        meter.wait += time.perf_counter() - waited
        batch = mix(
            batch,
            mixup_alpha=config.mixup,
            cutmix_alpha=config.cutmix,
            probability=config.mix_probability,
            key=(config.seed, progress.serial, micro),
        )
        # Seeding every forward pass from its number leaves no random state to save. After the batch is
        # there: a loader draws from the same generator when it starts, which a resumed run does later.
        key = (config.seed, progress.serial, micro, run.fabric.global_rank)
        torch.manual_seed(hash(key) & 0x7FFFFFFF)
        batch.step = progress.serial
        with run.fabric.no_backward_sync(engine.model, enabled=micro + 1 < config.accumulate):
            loss = _loss(run, engine, batch) / config.accumulate
            run.fabric.backward(loss)
        loss_sum += float(loss.detach())
    if not math.isfinite(loss_sum):
        raise ModelError(
            f"the loss is {loss_sum} at step {progress.serial}",
            fix="lower lr, or set precision=32-true; the last checkpoint is kept",
        )
    _clip(run, engine)
    engine.optimiser.step()
    engine.optimiser.zero_grad(set_to_none=True)
    if engine.ema is not None:
        engine.ema.update(run.net, step=progress.step)
    return loss_sum


def _loss(run: Run, engine: Engine, batch: Batch) -> torch.Tensor:
    if run.criterion is None:
        return run.task.step(engine.model, batch)["loss"]
    with run.fabric.autocast():  # the product with all class centres is as large as the network
        return run.task.step(engine.model, batch)["loss"]


def _clip(run: Run, engine: Engine) -> None:
    """Limit the gradients' norm; that of class centres is taken over all processes."""
    limit, criterion = run.config.clip_norm, run.criterion
    if criterion is not None and loss_scaler(run) is not None:
        share_overflow(criterion)
    if limit is None:
        return
    if criterion is None:
        run.fabric.clip_gradients(engine.model, engine.optimiser, max_norm=limit)
        return
    run.fabric.strategy.precision.unscale_gradients(engine.raw_optimiser)
    clip_grad_norm_((p for p in run.net.parameters() if p.requires_grad), criterion, limit)


def _steps(run: Run, start: int, stop: int) -> Steps | IdentityBatches:
    config = run.config
    weights = None
    pictures = None if config.embedding is None else config.embedding.images_per_identity
    if pictures is not None:
        return IdentityBatches(
            run.train.raw,
            config.batch_size // pictures,
            pictures,
            seed=config.seed,
            start=start,
            stop=stop,
            rank=run.fabric.global_rank,
            world=run.fabric.world_size,
        )
    if config.balance == "sampler":
        weights = balanced_weights(run.train, run.task.n_outputs)
    return Steps(
        len(run.train),
        config.batch_size,
        accumulate=config.accumulate,
        seed=config.seed,
        start=start,
        stop=stop,
        rank=run.fabric.global_rank,
        world=run.fabric.world_size,
        weights=weights,
    )


def _choose(run: Run, feed: Feed, progress: Progress, total: int) -> None:
    """Measure on the first process; the others follow. Written down at once: no resume chooses anew."""
    run.net.train()
    settings = None
    if run.fabric.global_rank == 0:
        settings = choose_settings(run, next(feed(_steps(run, 0, 1))), total - progress.step)
    run.settings = run.fabric.broadcast(settings)
    if run.fabric.global_rank == 0:
        atomic.write_json(run.folder / "run.json", run.state(progress))
    run.log.say(f"settings: {run.settings}")


def _report(
    run: Run, engine: Engine, progress: Progress, epoch: int, meter: Meter, figures: dict[str, float]
) -> None:
    span = time.perf_counter() - meter.began
    row = {
        "serial": progress.serial,
        "phase": progress.phase,
        "epoch": epoch,
        "lr": max(group["lr"] for group in engine.raw_optimiser.param_groups),
        "train_loss": meter.loss / meter.steps,
        "images_per_s": meter.images / span,
        "loader_wait_s": meter.wait,
        "seconds": run.seconds,
    }
    run.log.row(row | {f"val_{key}": value for key, value in figures.items()})
    if not figures:
        return
    ranked = rank_figures(figures, run.config.monitored)
    if progress.best is None or ranked > progress.best:
        progress.best, progress.best_serial, progress.stale = ranked, progress.serial, 0
        if run.fabric.global_rank == 0:
            tensors = {"model": plain_state(engine.best_net(run).net)}
            checkpoint.save(run.folder / "best", tensors, run.spec, run.state(progress))
    else:
        progress.stale += 1


def _out_of_patience(run: Run, progress: Progress) -> bool:
    last_phase = progress.phase == len(run.config.phases) - 1
    return last_phase and run.config.patience is not None and progress.stale >= run.config.patience


def _finish(run: Run, engine: Engine, progress: Progress) -> None:
    """Close a phase: the average becomes the network, and the next phase starts clean."""
    if engine.ema is not None:
        run.net.load_state_dict(engine.ema.module.state_dict())
    progress.phase, progress.step, progress.stale = progress.phase + 1, 0, 0
    save(run, None, progress)
