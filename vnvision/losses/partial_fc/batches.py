"""Checks of batches that end the same on every rank, and let neither a rank nor a GPU's host wait."""

from __future__ import annotations

import torch

from vnvision.errors import DataError
from vnvision.losses.partial_fc.collectives import Ranks

_ROWS, _WIDTH, _LABELS, _STEP, _LOW, _HIGH = range(6)  # what a rank tells of its batch


class BatchCheck:
    """Whether the batches of all ranks fit the layer and each other.

    On a CPU every batch is checked at once, before anything else is exchanged. On a GPU that would make the
    host wait at every step for all work queued before. So there only the first batch, and one of another size
    than the batch before, is checked at once. Of the others, the host reads the ranks' facts late: when the
    next batch comes, before a checkpoint is written or identities change, or when ``settle`` is called. By
    then the optimiser has taken the step. No checkpoint holds it: go back to the last one. Meanwhile a row
    whose class is out of range is one of no class: it is pushed away from all centres.

    A rank whose batch alone has another size gives the others zeros of theirs, so that no rank is left
    waiting in an exchange, and all raise together when the facts are read. (Its embeddings must carry a
    gradient, as a network's do, for a wrapper such as DistributedDataParallel to go on too.)

    Args:
        dim: length D of an embedding.
        ranks: the processes that share the classes.

    Attributes:
        deferred: whether to read late; None for on a GPU.
    """

    def __init__(self, dim: int, ranks: Ranks) -> None:
        self.dim, self.ranks = dim, ranks
        self.deferred: bool | None = None
        self._rows = 0  # of the batch last checked at once, the same on every rank; 0 before the first
        self._waiting: tuple[Fetched, int] | None = None

    def __call__(
        self, embeddings: torch.Tensor, target: torch.Tensor, n_classes: int, step: int | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch to go on with: the one given, or zeros in its place.

        Raises:
            DataError: on every rank alike, if on any rank shapes or types are wrong or a class is out of
                range, or if batch sizes or steps differ; of this batch, or of the last where it is read late.
        """
        self.settle()
        late = embeddings.is_cuda if self.deferred is None else self.deferred
        shape, expected = [*_shape(embeddings), _labels(target)], [self._rows, self.dim, self._rows]
        table = self.ranks.gather(_facts(shape, target, step, embeddings.device))
        if late and shape == expected:
            self._waiting = Fetched(table), n_classes
            return embeddings, target
        facts = table.tolist()
        if late and any(fact[:_STEP] == expected for fact in facts):  # to these ranks nothing is new
            self._waiting = Fetched(table), n_classes
            return _stand_in(embeddings, self._rows, self.dim)
        self._refuse(facts, n_classes)
        self._rows = shape[0]
        return embeddings, target

    def settle(self) -> None:
        """Read what is still to be read of the last batch.

        Raises:
            DataError: it was bad; the same on every rank.
        """
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._refuse(waiting[0].read(), waiting[1], late=True)

    def _refuse(self, facts: list[list[int]], n_classes: int, *, late: bool = False) -> None:
        for rank, (rows, width, labels, step, low, high) in enumerate(facts):
            where = f" on rank {rank}" if self.ranks.world > 1 else ""
            where += f" at step {step}" if late and step >= 0 else ""
            if rows < 1 or width != self.dim or labels != rows:
                raise DataError(
                    f"embeddings and classes{where} do not fit Partial FC",
                    expected=f"floating point (n, {self.dim}) and int64 (n,), n of 1 or more",
                    got=f"{_said(rows, width)} and {_said(labels)}",
                )
            if low < 0 or high >= n_classes:
                raise DataError(
                    f"class{where} out of range", expected=f"0 to {n_classes - 1}", got=f"{low} to {high}"
                )
        for name, column in (("batch size", _ROWS), ("step", _STEP)):
            values = [fact[column] for fact in facts]
            if len(set(values)) > 1:
                raise DataError(f"{name} of the ranks", expected="the same on all", got=str(values))


class Fetched:
    """A small tensor on its way to the host, which need not wait for it yet."""

    def __init__(self, table: torch.Tensor) -> None:
        self.host, self.event = table, None
        if table.is_cuda:
            self.host = torch.empty(table.shape, dtype=table.dtype, pin_memory=True)
            self.host.copy_(table, non_blocking=True)
            self.event = torch.cuda.current_stream(table.device).record_event()

    def read(self) -> list[list[int]]:
        """Its rows, as soon as they are there."""
        if self.event is not None:
            self.event.synchronize()
        rows: list[list[int]] = self.host.tolist()
        return rows


def _facts(shape: list[int], target: torch.Tensor, step: int | None, device: torch.device) -> torch.Tensor:
    """(1, 6) int64 on the device; ``fill_`` takes numbers there without a copy that the host waits for."""
    facts = torch.zeros((1, _HIGH + 1), dtype=torch.int64, device=device)
    for column, value in enumerate((*shape, -1 if step is None else step)):
        facts[:, column].fill_(value)
    if shape[_LABELS] > 0:
        facts[0, _LOW:] = torch.stack(target.aminmax())
    return facts


def _shape(embeddings: torch.Tensor) -> tuple[int, int]:
    if embeddings.ndim != 2 or not embeddings.is_floating_point():
        return -1, -1
    return embeddings.shape[0], embeddings.shape[1]


def _labels(target: torch.Tensor) -> int:
    return -1 if target.ndim != 1 or target.dtype != torch.int64 else len(target)


def _said(*sizes: int) -> str:
    return "another shape or type" if sizes[0] < 0 else str(tuple(sizes))


def _stand_in(embeddings: torch.Tensor, rows: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Zeros of no class. The gradient runs through them to what was given, and is zero there."""
    dtype = embeddings.dtype if embeddings.is_floating_point() else torch.float32
    zeros = torch.zeros((rows, dim), dtype=dtype, device=embeddings.device, requires_grad=True)
    if embeddings.requires_grad:
        zeros = zeros + embeddings.reshape(-1)[:0].sum()
    return zeros, torch.full((rows,), -1, device=embeddings.device)
