"""``vnvision train CONFIG --plan``: memory and time, before anything is started."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vnvision.train.config import TrainConfig


def print_plan(config: TrainConfig, people: Sequence[int]) -> None:
    """Print what a configuration takes, on which machine, and what would make it fit.

    Args:
        config: resolved.
        people: numbers of identities to plan for; the manifest's, if none.
    """
    from vnvision.cli.show import missing_train_extra

    with missing_train_extra():
        from vnvision.train.scale_plan import plan
    print(plan(config, people), end="")
