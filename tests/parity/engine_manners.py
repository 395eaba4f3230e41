"""What every engine owes its callers, whatever runs inside."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vnvision.engines.base import Engine
from vnvision.errors import ModelError


def any_batch_size_and_strides(engine: Engine, inputs: np.ndarray, limit: float) -> None:
    """One image, three and a strided view give the same answers; they belong to the caller."""
    whole = engine.run(inputs)
    kept = [item.copy() for item in whole]
    for part in (engine.run(inputs[:1]), engine.run(inputs[:3]), engine.run(inputs[::2].copy()[::-1])):
        assert all(item.flags.writeable for item in part)
    for got, right in zip(engine.run(inputs[::-2]), whole, strict=True):
        np.testing.assert_allclose(got, right[::-2], rtol=0, atol=limit * np.ptp(right))
    for got, right in zip(engine.run(inputs[1:2]), whole, strict=True):
        np.testing.assert_allclose(got, right[1:2], rtol=0, atol=limit * np.ptp(right))
    for now, then in zip(whole, kept, strict=True):
        np.testing.assert_array_equal(now, then)


def wrong_batches_are_refused(engine: Engine, inputs: np.ndarray) -> None:
    bad = (inputs[0], inputs[:, :1], inputs[..., :-1], inputs.astype(np.float64), inputs.astype(np.uint8))
    for batch in bad:
        with pytest.raises(ModelError, match=rf"does not fit the model \({engine.name}\).*got \(") as caught:
            engine.run(batch)
        assert str(batch.dtype) in str(caught.value)


def no_image_is_no_answer(engine: Engine, inputs: np.ndarray) -> None:
    whole = engine.run(inputs)
    for got, right in zip(engine.run(inputs[:0]), whole, strict=True):
        assert got.shape == (0, *right.shape[1:])


def threads_agree(engine: Engine, inputs: np.ndarray) -> None:
    """Two callers at once, each with other images, get what they would get alone."""
    alone = [engine.run(inputs[index : index + 1]) for index in range(len(inputs))]
    jobs = [index % len(inputs) for index in range(24)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda index: engine.run(inputs[index : index + 1]), jobs))
    for index, got in zip(jobs, together, strict=True):
        for one, other in zip(got, alone[index], strict=True):
            np.testing.assert_array_equal(one, other)


def closed_says_so(engine: Engine, inputs: np.ndarray) -> None:
    engine.close()
    engine.close()
    with pytest.raises(ModelError, match=f"the {engine.name} engine is closed; load the model again"):
        engine.run(inputs)


def damage_is_named(open_file: Callable[[bytes], Engine], data: bytes) -> None:
    """Nothing, other bytes and a file cut short anywhere: one line that names the file."""
    cut = [data[: len(data) * part // 8] for part in range(1, 8)] + [data[:-1]]
    for bad in (b"", b"<html>not found</html>" * 40, *cut):
        with pytest.raises(ModelError, match=r"model file .* cannot be (loaded by|used)") as caught:
            open_file(bad)
        assert "\n" not in str(caught.value)
