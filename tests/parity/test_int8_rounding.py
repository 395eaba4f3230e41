"""Grids, moments of what layers read, compensated rounding and the search, against formulas written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from vnvision.export.int8_graph import Graph
from vnvision.export.int8_grid import grid_of, on_grid, weight_steps
from vnvision.export.int8_moments import moments
from vnvision.export.int8_ranges import measured
from vnvision.export.int8_rounding import compensated, rounded_layers
from vnvision.export.int8_search import search

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
unfold, pad, conv2d = torch.nn.functional.unfold, torch.nn.functional.pad, torch.nn.functional.conv2d
CONVOLUTIONS = [
    {"group": 1, "strides": [1, 1], "pads": [1, 1, 1, 1], "dilations": [1, 1]},
    {"group": 4, "strides": [2, 1], "pads": [0, 1, 1, 2], "dilations": [1, 1]},
    {"group": 2, "strides": [1, 2], "pads": [2, 0, 2, 1], "dilations": [2, 1]},
]


def one_convolution(group, strides, pads, dilations):
    """A graph of one convolution of 3 x 3 and 4 channels, and its calibration images, correlated."""
    rng, value = np.random.default_rng(0), onnx.helper.make_tensor_value_info
    stored = onnx.numpy_helper.from_array
    weight = rng.normal(size=(8, 4 // group, 3, 3)).astype(np.float32)
    node = onnx.helper.make_node(
        "Conv", ["x", "w", "b"], ["y"], group=group, strides=strides, pads=pads, dilations=dilations
    )
    graph = onnx.helper.make_graph(
        [node], "one", [value("x", 1, ["n", 4, 7, 7])], [value("y", 1, None)],
        [stored(weight, "w"), stored(np.ones(8, np.float32), "b")],
    )  # fmt: skip
    mixed = rng.normal(size=(96, 4, 7, 7)).cumsum(axis=3) + rng.normal(size=(1, 4, 1, 1))
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return Graph(model), mixed.astype(np.float32)


def read_by(x, group, strides, pads, dilations):
    """(G, K, readings) by torch's unfold."""
    wide = pad(torch.from_numpy(x), (pads[1], pads[3], pads[0], pads[2]))
    columns = unfold(wide, 3, dilation=dilations, stride=strides).numpy()
    parts = columns.reshape(len(x), group, -1, columns.shape[2]).transpose(1, 2, 0, 3)
    return parts.reshape(*parts.shape[:2], -1)


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_moments_are_those_of_every_place(options):
    graph, x = one_convolution(**options)
    ((_, found),) = moments(graph, measured(graph, ["x", "y"], x), x)
    ranges = measured(graph, ["x", "y"], x)["x"]
    exact, rounded = read_by(x, **options), read_by(on_grid(x, grid_of(ranges.low, ranges.high)), **options)
    assert found.n == exact.shape[2]
    np.testing.assert_allclose(found.mean, exact.mean(2), atol=1e-4)
    np.testing.assert_allclose(found.rounded_mean, rounded.mean(2), atol=1e-4)
    wanted = np.stack([np.cov(part, bias=True) for part in rounded.astype(np.float64)])
    np.testing.assert_allclose(found.covariance, wanted, atol=1e-4 * wanted.max())


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_the_mean_of_each_output_stays_and_its_error_falls(options):
    graph, x = one_convolution(**options)
    ranges = measured(graph, ["x", "y"], x)
    rounded_x = torch.from_numpy(on_grid(x, grid_of(ranges["x"].low, ranges["x"].high)))
    given = {"stride": options["strides"], "dilation": options["dilations"], "groups": options["group"]}
    pads = options["pads"]
    sides = (pads[1], pads[3], pads[0], pads[2])

    def made(x, weight, bias):
        return conv2d(pad(x, sides), torch.from_numpy(weight), torch.from_numpy(bias), **given).numpy()

    exact = made(torch.from_numpy(x), graph.arrays["w"], graph.arrays["b"])
    near = made(rounded_x, graph.arrays["w"], graph.arrays["b"])
    off = {}
    for name, calibration in (("nearest", None), ("compensated", x)):
        found = rounded_layers(graph, ranges, calibration)["y"]
        assert found.integers.dtype == np.int8
        weight = found.integers * found.steps.reshape(-1, 1, 1, 1)
        off[name] = made(rounded_x, weight, found.bias)
    assert np.abs((off["compensated"] - exact).mean((0, 2, 3))).max() < 1e-4
    varied = {name: (values - near).var((0, 2, 3)).sum() for name, values in off.items()}
    assert varied["compensated"] < 0.7 * varied["nearest"]


def spread(weight, whole, steps, covariance):
    """The variance of what outputs are off by, summed over outputs."""
    left = weight - whole * steps[:, :, None]
    return float(np.einsum("grk,gkl,grl->", left, covariance, left))


def test_compensation_beats_the_nearest_and_not_the_best_there_is():
    rng = np.random.default_rng(1)
    many, mixing = rng.normal(size=(2, 64, 100)), rng.normal(size=(2, 100, 100))
    mixing *= np.linspace(3, 0.1, 100)[:, None]
    covariance, steps = mixing @ mixing.transpose(0, 2, 1), np.full((2, 64), 0.05)
    near = np.rint(many / 0.05)
    found = compensated(many, steps, covariance)
    assert spread(many, found, steps, covariance) < 0.5 * spread(many, near, steps, covariance)
    for row in range(20):
        few, covariance, steps = many[:1, row : row + 1, :4], covariance[:1, :4, :4], np.full((1, 1), 0.5)
        moves = itertools.product((-2, -1, 0, 1, 2), repeat=4)
        best = min(spread(few, np.rint(few / 0.5) + np.array(move), steps, covariance) for move in moves)
        assert spread(few, compensated(few, steps, covariance), steps, covariance) >= best - 1e-9


def test_inputs_that_do_not_vary_together_leave_the_nearest():
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(3, 5, 7))
    steps = np.stack([weight_steps(part, 0) for part in weight]).astype(np.float64)
    for covariance in (np.stack([np.diag(rng.uniform(0.1, 2, 7)) for _ in range(3)]), np.zeros((3, 7, 7))):
        found = compensated(weight, steps, covariance)
        np.testing.assert_array_equal(found, np.rint(weight / steps[:, :, None]))


def test_the_search_finds_the_planted_layer():
    wanted = np.ones((4, 2))

    def made_of(in_float):
        error = sum({"a": 0.01, "b": 0.9, "c": 0.02}[one] for one in "abc" if one not in in_float)
        return wanted + np.array([error, -error])

    found = search("abc", made_of, wanted, least_cosine=0.99, most=2)
    assert found.in_float == ("b",)
    assert found.reached
    assert search("abc", made_of, wanted, least_cosine=0.99, most=0).in_float == ()


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 6), (-3, 0.1), (2, 5), (-4, -1), (0, 0)])
def test_a_grid_holds_zero_and_both_ends(low, high):
    step, zero = grid_of(low, high)
    assert (0 - int(zero)) * step <= min(low, 0) + 1e-6
    assert (255 - int(zero)) * step >= max(high, 0) - 1e-6
    assert step <= max((max(high, 0) - min(low, 0)) / 247, 1e-8)
