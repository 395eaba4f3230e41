from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vnvision.errors import ConfigError, DataError
from vnvision.imaging import Preprocessor
from vnvision.imaging.align import template
from vnvision.spec import PreprocessSpec

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def spec(**keys) -> PreprocessSpec:
    return PreprocessSpec(**{"size_px": (24, 32), "mean": MEAN, "std": STD} | keys)


def grey_spec(**keys) -> PreprocessSpec:
    return spec(**{"colour": "grey", "mean": (0.5,), "std": (0.25,)} | keys)


def noise(height: int, width: int, channels: int = 3, dtype: str = "uint8", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).random((height, width, channels))
    return values.astype(dtype) if dtype == "float32" else (values * np.iinfo(dtype).max).astype(dtype)


@settings(derandomize=True, deadline=None, database=None, max_examples=60)
@given(
    st.tuples(*[st.floats(-2, 2)] * 3),
    st.tuples(*[st.floats(0.01, 4)] * 3),
    st.sampled_from([(0.0, 255.0), (0.0, 1.0), (-10.0, 300.0)]),
)
def test_every_uint8_level_is_exact(mean, std, input_range):
    pre = Preprocessor(spec(size_px=(16, 16), mean=mean, std=std, input_range=input_range))
    image = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    low, high = input_range
    truth = ((image.astype(np.float64) - low) / (high - low) - mean) / std
    out = pre.normalise(image)
    np.testing.assert_array_equal(out, truth.astype(np.float32).transpose(2, 0, 1))
    np.testing.assert_array_equal(pre.table, truth.reshape(256, 3).astype(np.float32))
    np.testing.assert_array_equal(pre.table[image[..., 0], 1], out[1])


def test_the_result_is_contiguous_float32_chw():
    pre = Preprocessor(spec(geometry="crop", crop_pct=0.8))
    out = pre(noise(50, 70))
    assert (out.shape, out.dtype, out.flags.c_contiguous) == ((3, 24, 32), np.float32, True)
    batch = pre.batch([noise(50, 70), noise(20, 90, seed=1)])
    np.testing.assert_array_equal(batch[0], out)
    np.testing.assert_array_equal(batch[1], pre(noise(20, 90, seed=1)))
    into = np.full((3, 24, 32), np.nan, np.float32)
    assert pre(noise(50, 70), into) is into
    np.testing.assert_array_equal(into, out)
    assert pre.batch([]).shape == (0, 3, 24, 32)


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_other_dtypes_follow_the_same_formula(dtype):
    high = 4095.0 if dtype == "uint16" else 2.0
    pre = Preprocessor(spec(input_dtype=dtype, input_range=(0.0, high)))
    image = noise(24, 32, dtype=dtype)
    truth = (image.astype(np.float64) / high - MEAN) / STD
    np.testing.assert_array_equal(pre(image), truth.astype(np.float32).transpose(2, 0, 1))
    with pytest.raises(ConfigError, match=f"no lookup table: expected a uint8 spec, got {dtype}"):
        _ = pre.table


def test_colour_orders():
    image = noise(24, 32)
    plain = {"mean": (0.0,) * 3, "std": (1.0,) * 3}
    rgb = Preprocessor(spec(**plain))(image)
    np.testing.assert_array_equal(Preprocessor(spec(colour="bgr", **plain))(image), rgb[::-1])
    grey = noise(40, 30, 1)
    repeated = Preprocessor(spec(**plain))(grey)
    for channel in repeated:
        np.testing.assert_array_equal(channel, repeated[0])
    whole = Preprocessor(spec(**plain))(grey.repeat(3, axis=2))
    np.testing.assert_array_equal(repeated, whole)
    luma = Preprocessor(grey_spec()).geometry(image)
    assert luma.shape == (24, 32, 1)
    truth = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(luma[..., 0] - truth).max() <= 0.51
    assert np.abs(luma[..., 0].astype(int) - np.asarray(Image.fromarray(image).convert("L"))).max() <= 1


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "area"])
@pytest.mark.parametrize("geometry", ["squash", "crop", "letterbox"])
def test_geometry_keeps_dtype_and_gives_the_size(geometry, interpolation, channels, dtype):
    make = spec if channels == 3 else grey_spec
    pre = Preprocessor(make(geometry=geometry, interpolation=interpolation, input_dtype=dtype, crop_pct=0.9))
    for height, width in ((24, 32), (1, 1), (100, 7), (7, 100), (300, 400), (25, 33)):
        for given_channels in (1, 3):
            out = pre.geometry(noise(height, width, given_channels, dtype))
            assert (out.shape, out.dtype) == ((24, 32, channels), np.dtype(dtype))
            flat = pre.geometry(np.full((height, width, given_channels), 1, dtype))
            inside = flat[flat != 0] if geometry == "letterbox" else flat
            np.testing.assert_allclose(inside, 1, atol=1e-6)
            assert np.isfinite(pre.normalise(out)).all()


def test_nearest_agrees_with_pillow():
    image = noise(37, 53)
    out = Preprocessor(spec(interpolation="nearest")).geometry(image)
    truth = np.asarray(Image.fromarray(image).resize((32, 24), Image.Resampling.NEAREST))
    np.testing.assert_array_equal(out, truth)


def test_area_averages_whole_blocks():
    image = noise(48, 96)
    out = Preprocessor(spec(interpolation="area")).geometry(image)
    truth = image.reshape(24, 2, 32, 3, 3).mean(axis=(1, 3))
    assert np.abs(out - truth).max() <= 0.51


def test_bilinear_agrees_with_the_formula():
    image = noise(48, 64, 1, "float32")
    out = Preprocessor(grey_spec(input_dtype="float32")).geometry(image)
    # Exactly half the size: every output centre lies in the middle of four pixels.
    truth = image.reshape(24, 2, 32, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(out[..., 0], truth, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "crop_pct", "inner", "offset"),
    [
        ((500, 400), 0.875, (320, 256), (48, 16)),  # as torchvision: int(256 * 500 / 400), round half to even
        ((400, 500), 0.875, (256, 320), (16, 48)),
        ((224, 224), 1.0, (224, 224), (0, 0)),
        ((300, 300), 0.9, (248, 248), (12, 12)),
        ((333, 1000), 1.0, (224, 672), (0, 224)),
    ],
)
def test_crop_scales_the_shorter_side_and_takes_the_middle(shape, crop_pct, inner, offset):
    image = noise(*shape)
    pre = Preprocessor(spec(size_px=(224, 224), geometry="crop", crop_pct=crop_pct))
    whole = cv2.resize(image, inner[::-1], interpolation=cv2.INTER_LINEAR) if inner != shape else image
    truth = whole[offset[0] : offset[0] + 224, offset[1] : offset[1] + 224]
    np.testing.assert_array_equal(pre.geometry(image), truth)


@pytest.mark.parametrize("colour", ["rgb", "grey"])
def test_letterbox_keeps_aspect_and_pads_evenly(colour):
    make = spec if colour == "rgb" else grey_spec
    pre = Preprocessor(make(geometry="letterbox", pad_value=114.0))
    out = pre.geometry(np.full((100, 50, 3), 200, np.uint8))
    assert (out[:, 10:22] == 200).all()
    assert (out[:, :10] == 114).all()
    assert (out[:, 22:] == 114).all()


def test_none_checks_the_size():
    pre = Preprocessor(spec(geometry="none"))
    assert pre(noise(24, 32)).shape == (3, 24, 32)
    with pytest.raises(
        DataError, match=r"expected 24 x 32 pixels \(height x width\), got 32 x 24; this model"
    ):
        pre(noise(32, 24))


def test_align_wants_landmarks_and_uses_them():
    pre = Preprocessor(spec(size_px=(112, 112), geometry="align"))
    image = noise(200, 200)
    with pytest.raises(DataError, match="needs a face's five landmarks"):
        pre(image)
    shift = np.array([40, 25])
    out = pre.geometry(image, template() + shift)
    np.testing.assert_array_equal(out, image[25:137, 40:152])
    np.testing.assert_array_equal(pre(image, landmarks_px=template() + shift), pre.normalise(out))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_voi_window_follows_dicom(dtype):
    centre, width, top = 100.0, 51.0, float(np.iinfo(dtype).max)
    pre = Preprocessor(
        grey_spec(size_px=(16, 16), input_dtype=dtype, input_range=(0.0, top), voi_window=(centre, width))
    )
    levels = np.arange(256).reshape(16, 16, 1).astype(dtype)
    out = pre.geometry(levels)[..., 0].reshape(-1)
    for x, got in enumerate(out):  # PS3.3 C.11.2.1.2.1, written out
        if x <= centre - 0.5 - (width - 1) / 2:
            truth = 0.0
        elif x > centre - 0.5 + (width - 1) / 2:
            truth = top
        else:
            truth = ((x - (centre - 0.5)) / (width - 1) + 0.5) * top
        assert abs(int(got) - truth) <= 0.5 + 1e-9, x


def test_voi_window_of_floats_and_of_width_one():
    pre = Preprocessor(
        grey_spec(size_px=(1, 3), input_dtype="float32", input_range=(0.0, 1.0), voi_window=(40.0, 401.0))
    )
    image = np.array([-500, 39.5, 500], np.float32).reshape(1, 3, 1)
    np.testing.assert_allclose(pre.geometry(image)[0, :, 0], [0, 0.5, 1])
    step = Preprocessor(grey_spec(size_px=(1, 3), voi_window=(100.0, 1.0)))
    image = np.array([99, 100, 101], np.uint8).reshape(1, 3, 1)
    np.testing.assert_array_equal(step.geometry(image)[0, :, 0], [0, 255, 255])


def test_16_bit_images_for_8_bit_models_scale_by_the_full_range():
    pre = Preprocessor(grey_spec(size_px=(256, 256), geometry="none"))
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1)
    out = pre.geometry(deep)
    np.testing.assert_array_equal(out.reshape(-1), np.rint(np.arange(65536) / 257))
    dark = np.full((256, 256, 1), 3, np.uint16)  # never by the values that happen to be there
    assert (pre.geometry(dark) == 0).all()


@pytest.mark.parametrize(
    ("image", "dtype", "text"),
    [
        (noise(9, 9, dtype="float32"), "uint8", "wrong dtype: expected uint8, got float32"),
        (noise(9, 9), "uint16", "wrong dtype: expected uint16, got uint8"),
        (noise(9, 9), "float32", "wrong dtype: expected float32, got uint8"),
        (noise(9, 9)[..., 0], "uint8", r"wrong shape: expected \(H, W, 3\) or \(H, W, 1\), got \(9, 9\)"),
        (noise(9, 9, 4), "uint8", r"got \(9, 9, 4\)"),
        (np.zeros((0, 5, 3), np.uint8), "uint8", r"got \(0, 5, 3\)"),
        ([[1]], "uint8", "got list"),
    ],
)
def test_wrong_images_are_refused(image, dtype, text):
    with pytest.raises(DataError, match=text):
        Preprocessor(spec(input_dtype=dtype))(image)


def test_wrong_output_arrays_are_refused():
    pre = Preprocessor(spec())
    for out in (
        np.empty((24, 32, 3), np.float32),
        np.empty((3, 24, 32)),
        np.empty((3, 32, 24), np.float32).swapaxes(1, 2),
    ):
        with pytest.raises(DataError, match=r"into out: expected C-contiguous \(3, 24, 32\) float32"):
            pre.normalise(noise(24, 32), out)
    with pytest.raises(DataError, match=r"expected \(24, 32, 3\) uint8, got \(25, 32, 3\) uint8"):
        pre.normalise(noise(25, 32))


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        ({"voi_window": (40.0, 0.0)}, "voi_window is wrong: expected a width of 1 or more"),
        ({"geometry": "align", "interpolation": "area"}, "align cannot interpolate by area"),
        ({"geometry": "align", "interpolation": "nearest"}, "align cannot interpolate by nearest"),
        ({"geometry": "letterbox", "pad_value": 127.5}, "pad_value is wrong: expected a whole uint8 value"),
        ({"geometry": "letterbox", "pad_value": 256.0}, "got 256"),
    ],
)
def test_specs_that_cannot_be_carried_out(keys, text):
    with pytest.raises(ConfigError, match=text):
        Preprocessor(spec(**keys))


def test_views_are_read_like_copies():
    image = noise(60, 80)
    pre = Preprocessor(spec())
    views = (image[::-1], image[:, ::-1], image[::2, 3:], image.transpose(1, 0, 2), image[..., ::-1])
    for view in views:
        np.testing.assert_array_equal(pre(view), pre(np.ascontiguousarray(view)))
    image.setflags(write=False)
    assert pre(image).shape == (3, 24, 32)
    exact = Preprocessor(spec(size_px=(60, 80)))
    np.testing.assert_array_equal(exact(image[:, ::-1]), exact(np.ascontiguousarray(image[:, ::-1])))


def test_input_is_never_written_to():
    image = noise(24, 32)
    before = image.copy()
    for colour in ("rgb", "bgr"):
        Preprocessor(spec(colour=colour, voi_window=(100.0, 50.0)))(image)
    np.testing.assert_array_equal(image, before)


def test_it_travels_to_workers_and_threads():
    pre = Preprocessor(spec(geometry="crop", crop_pct=0.9))
    images = [noise(40 + i, 60, seed=i) for i in range(32)]
    truth = [pre(image) for image in images]
    twin = pickle.loads(pickle.dumps(pre))
    with ThreadPoolExecutor(8) as pool:
        for got, wanted in zip(pool.map(twin, images), truth, strict=True):
            np.testing.assert_array_equal(got, wanted)
