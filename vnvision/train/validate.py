"""Validation inside a run: on the deployed preprocessing, over all processes, and which is the best."""

from __future__ import annotations

import numpy as np
import torch

from vnvision.models import StagedNet
from vnvision.train.data import lookup, make_loader
from vnvision.train.inputs import evaluation_pictures, features, to_device
from vnvision.train.protocols import Protocols
from vnvision.train.state import Run

_BATCH, _DENSE_BATCH = 64, 16
_KEEP_BYTES = 1 << 30


class Validator:
    """Logits of the validation part, again and again.

    Pictures are decoded once and kept (up to 1 GiB); with ``cache`` what the frozen stages make of them is
    kept instead, so that a validation costs only the stages that learn.
    """

    def __init__(self, run: Run, *, cache: bool) -> None:
        self.run = run
        self.stored: torch.Tensor | None = None
        self.pictures = evaluation_pictures(run, run.val)
        if cache:
            self.stored = features(run, self.pictures, 0)
        self.cached = cache
        self.protocols = Protocols(run)
        self.kept: np.ndarray | None = None
        self.truth: np.ndarray | None = None

    def figures(self, net: StagedNet) -> dict[str, float]:
        """Validation figures of a network, the same on every process."""
        logits = gather(self.run, self._logits(net), len(self.run.val))
        return self.run.task.validate(logits, self.run.val.raw) | self.protocols.figures(net)

    @torch.no_grad()
    def _logits(self, net: StagedNet) -> np.ndarray:
        run, done = self.run, 0
        out: list[np.ndarray] = []
        net.eval()
        for inputs in self._inputs(net):
            with run.fabric.autocast():
                logits = net(inputs).float().cpu().numpy()
            truth = None if self.truth is None else self.truth[done : done + len(logits)]
            done += len(logits)
            out.append(run.task.condense(logits, truth))
        return np.concatenate(out) if out else np.empty((0, run.task.n_outputs), dtype=np.float32)

    def _inputs(self, net: StagedNet):  # type: ignore[no-untyped-def]
        run = self.run
        rows = my_rows(run, len(run.val))
        if not len(rows):  # a protocol chooses, or there are fewer pictures than processes
            return
        if self.stored is not None:
            for part in rows.split(_BATCH):
                yield self.stored[part].to(run.device).float()
            return
        if self.kept is None:
            self.kept = self._read(rows)
        size = _BATCH if self.truth is None else _DENSE_BATCH
        for at in range(0, len(self.kept), size):
            pictures = self.kept[at : at + size]
            if run.device.type == "cpu":
                pictures = lookup(pictures, run.preprocessor.table)
            with run.fabric.autocast():
                yield net.frozen(to_device(run, torch.from_numpy(pictures)))

    def _read(self, rows: torch.Tensor) -> np.ndarray:
        keys = [[(0, int(row)) for row in part] for part in rows.split(_BATCH)]
        loader = make_loader(self.pictures, keys, workers=self.run.config.workers, table=None)
        parts = [[part.numpy() for part in rest] for _, *rest in loader]
        images, *truth = (np.concatenate(part) for part in zip(*parts, strict=True))
        self.truth = truth[0] if truth else None
        return images


def my_rows(run: Run, n: int) -> torch.Tensor:
    """This process's share of n rows."""
    return torch.arange(run.fabric.global_rank, n, run.fabric.world_size)


def gather(run: Run, logits: np.ndarray, n: int) -> np.ndarray:
    """Every process's share -> (n, ...) in row order, on every process."""
    if run.fabric.world_size == 1:
        return logits
    shares: list[np.ndarray] = [None] * run.fabric.world_size  # type: ignore[list-item]
    torch.distributed.all_gather_object(shares, logits)
    whole = np.empty((n, *logits.shape[1:]), dtype=logits.dtype)
    for rank, share in enumerate(shares):
        whole[rank :: run.fabric.world_size] = share
    return whole


def rank_figures(figures: dict[str, float], monitor: str) -> tuple[float, ...]:
    """Figures as a tuple that sorts: the monitored one, then likelihood, since small sets have many ties.

    Embeddings have no likelihood; their ties are broken by the equal error rate.
    """
    second = "nll" if "nll" in figures else "eer"
    return (-figures["nll"],) if monitor == "nll" else (figures[monitor], -figures[second])
