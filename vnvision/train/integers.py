"""How training for 8-bit integers begins: channels brought to like ranges, and ranges measured."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from vnvision.models.quantised import QuantisedNet, calibrate, equalise
from vnvision.train.data import Steps, make_loader
from vnvision.train.inputs import evaluation_pictures, to_device, worker_table
from vnvision.train.state import Run


def measure_ranges(run: Run) -> None:
    """Equalise a rounding network, and measure its ranges, on training pictures as they will be deployed.

    Does nothing for any other network, or with ``calibration_batches: 0``. Every process reads the same
    pictures, so that all begin alike.
    """
    embedding, net = run.config.embedding, run.net.net
    if embedding is None or embedding.qat is None or not isinstance(net, QuantisedNet):
        return
    asked = embedding.qat
    if asked.calibration_batches == 0:
        return
    if asked.equalise is not None:
        pairs = equalise(net, _batches(run, asked.calibration_batches), asked.equalise)
        run.log.say(f"equalised {pairs} pairs of layers")
    measured = calibrate(net, _batches(run, asked.calibration_batches))
    run.log.say(f"measured {len(net.quantisers())} ranges on {measured} batches")


def _batches(run: Run, count: int) -> Iterator[torch.Tensor]:
    pictures = evaluation_pictures(run, run.train)
    steps = Steps(
        len(run.train), run.config.batch_size, accumulate=1, seed=run.config.seed, start=0, stop=count
    )
    loader = make_loader(pictures, steps, workers=0, table=worker_table(run))
    for _, images, *_ in loader:
        yield to_device(run, images)
