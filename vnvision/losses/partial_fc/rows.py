"""Class centres of one rank, lent with their optimiser state to an ordinary optimiser, a step at a time."""

from __future__ import annotations

from typing import Any

import torch

from vnvision.errors import ConfigError


class CentreRows(torch.nn.Module):
    """All centres of a shard, and the parameter that an optimiser sees.

    Without sampling the parameter is the centres. With sampling it holds the sampled rows only, from the
    forward pass until the optimiser has stepped. State entries shaped like the parameter (momentum, Adam's
    moments) live here, a row a centre, and are in ``optimiser.state`` during ``step`` only.

    Args:
        weight: (n * K, D) first centres.
        n_classes: n, classes held here.
        sampling: whether steps take a part of the classes.

    Attributes:
        sampled: the parameter to give to the optimiser.
        index: (S,) int64 the classes lent, ascending; None where all are.
        scalars: state entries without rows, such as Adam's ``step``.
        made_by: class name of the optimiser whose state this is, "" for none.
    """

    index: torch.Tensor | None
    stored: torch.Tensor | None

    def __init__(self, weight: torch.Tensor, n_classes: int, *, sampling: bool) -> None:
        super().__init__()
        self.n_classes, self.sampling = n_classes, sampling
        self.sampled = torch.nn.Parameter(weight.new_empty(0, weight.shape[1]) if sampling else weight)
        self.register_buffer("stored", weight if sampling else None)
        self.index = None
        self.step = -1
        self.entries: list[str] = []
        self.scalars: dict[str, torch.Tensor] = {}
        self.made_by = ""
        self.optimiser: torch.optim.Optimizer | None = None
        self.hooks: list[Any] = []

    @property
    def weight(self) -> torch.Tensor:
        """(n * K, D) all centres held here, as of the last optimiser step."""
        return self.sampled.data if self.stored is None else self.stored

    def state(self) -> dict[str, torch.Tensor]:
        """Optimiser state of all rows, each (n * K, D)."""
        return {name: getattr(self, f"state_{name}") for name in self.entries}

    def lent_state(self) -> dict[str, torch.Tensor]:
        """Optimiser state of the rows that the parameter holds now."""
        return {name: self._part(rows, self.index) for name, rows in self.state().items()}

    def put(self, weight: torch.Tensor, state: dict[str, torch.Tensor], n_classes: int) -> None:
        """Replace all rows; what was lent is forgotten."""
        self._forget()
        self.n_classes = n_classes
        if self.stored is None:
            self.sampled.data = weight
        else:
            self.stored = weight
        for name in self.entries:
            delattr(self, f"state_{name}")
        self.entries = []
        for name, rows in state.items():
            self.keep(name, rows)

    def lend(self, index: torch.Tensor | None, step: int) -> torch.Tensor:
        """Rows of these classes for the forward pass of optimiser step ``step``, as a leaf of autograd.

        The parameter takes the same memory, and the leaf's gradient when it is there. (Used in the graph
        itself, a parameter could not change its shape while the loss of an earlier step is alive.) Classes
        lent before in the same step, by other micro-batches, stay in with their gradients.

        Args:
            index: (S,) classes, ascending; None without sampling.
            step: number of the optimiser step.
        """
        if index is not None:
            index = self._lend_part(index, step)
        leaf = self.sampled.detach().requires_grad_()

        def collect(lent: torch.Tensor) -> None:
            grad, lent.grad = lent.grad, None
            assert grad is not None
            self._deposit(grad, index, step)

        leaf.register_post_accumulate_grad_hook(collect)
        return leaf

    def _lend_part(self, index: torch.Tensor, step: int) -> torch.Tensor:
        assert self.stored is not None
        before, grad = (self.index, self.sampled.grad) if step == self.step else (None, None)
        if before is not None:
            index = torch.cat((index, before)).unique()
        self._forget()
        self.sampled.data = self._part(self.stored, index)
        self.index, self.step = index, step
        if before is not None and grad is not None:
            self._deposit(grad, before, step)
        return index

    def _deposit(self, grad: torch.Tensor, index: torch.Tensor | None, step: int) -> None:
        """Add a gradient of all or some of the lent classes to the parameter's."""
        gone = grad.shape != self.sampled.shape if index is None else self.index is None or step != self.step
        if gone:
            raise ConfigError(
                "backward pass of Partial FC",
                expected="before the optimiser's step and before the next step's forward pass",
                got=f"that of step {step} too late",
            )
        if self.sampled.grad is None and grad.shape == self.sampled.shape:
            self.sampled.grad = grad
        elif index is None or self.index is None:
            self.sampled.grad += grad
        else:
            if self.sampled.grad is None:
                self.sampled.grad = torch.zeros_like(self.sampled)
            whole = by_class(self.sampled.grad, len(self.index))
            whole.index_add_(0, torch.searchsorted(self.index, index), by_class(grad, len(index)))

    def take_back(self) -> None:
        """The lent rows, after the optimiser's step, into all rows."""
        if self.stored is not None and self.index is not None:
            lent = by_class(self.sampled.data, len(self.index))
            by_class(self.stored, self.n_classes).index_copy_(0, self.index, lent)
            self._forget()

    def keep(self, name: str, rows: torch.Tensor) -> None:
        """One state entry, of the rows lent, into the buffer of all rows."""
        if name not in self.entries:
            whole = rows if self.index is None else torch.zeros_like(self.weight, dtype=rows.dtype)
            self.register_buffer(f"state_{name}", whole, persistent=False)
            self.entries.append(name)
        if self.index is None:
            setattr(self, f"state_{name}", rows)
        else:
            by_class(getattr(self, f"state_{name}"), self.n_classes).index_copy_(
                0, self.index, by_class(rows, len(self.index))
            )

    def _forget(self) -> None:
        self.index = None
        self.sampled.grad = None
        if self.sampling:
            self.sampled.data = self.sampled.data.new_empty(0, self.weight.shape[1])

    def _part(self, rows: torch.Tensor, index: torch.Tensor | None) -> torch.Tensor:
        if index is None:
            return rows
        return by_class(rows, self.n_classes).index_select(0, index).view(-1, rows.shape[1])


def by_class(rows: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes * K, D) -> (classes, K * D), the same memory."""
    return rows.view(classes, -1)
