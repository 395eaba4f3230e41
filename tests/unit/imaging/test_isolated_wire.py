"""What passes between reader and decoder process, and what is refused."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnvision.errors import ConfigError, DataError, MissingExtraError, ModelError
from vnvision.imaging.isolated import DecoderError, answers, wire
from vnvision.records import Sample

QUIET = settings(derandomize=True, deadline=None, database=None, max_examples=150)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
VALUES = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(), inner)
    ),
    max_leaves=20,
)


def sent(head: dict, buffers=(), max_bytes: int = 2**20):
    """A message written and read again."""
    stream = io.BytesIO()
    wire.send(stream, head, buffers)
    stream.seek(0)
    return wire.receive(stream, max_bytes)


def there_and_back(value):
    buffers: list[memoryview] = []
    tree = wire.pack(value, buffers)
    head, data = sent({"value": tree}, buffers)
    return wire.unpack(head["value"], data)


def message(head: object, tail: bytes = b"") -> io.BytesIO:
    text = json.dumps(head).encode()
    return io.BytesIO(struct.pack(">I", len(text)) + text + tail)


@QUIET
@given(VALUES)
def test_values_come_back_equal_and_of_the_same_type(value):
    back = there_and_back(value)
    assert back == value
    assert repr(back) == repr(value)  # 1 is not True, a tuple no list, -0.0 not 0.0


@pytest.mark.parametrize("dtype", ["?", "u1", "i2", ">u2", "u4", "i8", "f2", "<f4", ">f8"])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (4, 5, 3)])
def test_arrays_come_back_bit_for_bit(dtype, shape):
    array = np.random.default_rng(0).integers(0, 256, (*shape, np.dtype(dtype).itemsize), dtype=np.uint8)
    array = (array & 1 if dtype == "?" else array).view(dtype)[..., 0]
    for given_ in (array, array.T, array[::-1] if array.ndim else array):
        back = there_and_back({"a": given_})["a"]
        assert back.dtype == given_.dtype
        assert back.shape == given_.shape
        assert back.tobytes() == given_.tobytes()
        assert back.flags.writeable


@pytest.mark.parametrize("number", [np.float64(0.1), np.float32("nan"), np.int16(-3), np.bool_(True)])
def test_numbers_of_numpy_stay_numbers_of_numpy(number):
    back = there_and_back(number)
    assert type(back) is type(number)
    assert back.tobytes() == number.tobytes()


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), "\udcff", "\0", 2**100, -0.0, memoryview(b"ab")]
)
def test_odd_values_come_back(value):
    back = there_and_back(value)
    assert back == value or (back != back and value != value)


@pytest.mark.parametrize(
    "value", [object(), {1, 2}, np.array(["a"]), np.array([None]), np.zeros(2, "c16"), 1j, print]
)
def test_what_cannot_be_sent_is_said(value):
    with pytest.raises(TypeError, match=f"{type(value).__name__} cannot be sent"):
        wire.pack(["beside", {"key": value}], [])


def test_samples_come_back():
    sample = Sample(
        image=np.arange(12, dtype=np.uint16).reshape(2, 2, 3),
        labels=np.array([1, -1], np.int8),
        spacing_mm=(0.5, 0.25),
        group_id="p",
        source="a.dcm",
        meta={"format": "DICOM", "window": (40.0, 400.0), "frames": [1, 2], "table": np.zeros(3, "f4")},
    )
    buffers: list[memoryview] = []
    head, data = sent({"sample": wire.pack_sample(sample, buffers)}, buffers)
    back = wire.unpack_sample(head["sample"], data)
    np.testing.assert_array_equal(back.image, sample.image)
    np.testing.assert_array_equal(back.labels, sample.labels)
    assert back.spacing_mm == (0.5, 0.25)
    assert (back.group_id, back.source, back.label, back.mask) == ("p", "a.dcm", -1, None)
    assert back.meta.pop("table").dtype == np.float32
    assert back.meta == {"format": "DICOM", "window": (40.0, 400.0), "frames": [1, 2]}


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (io.BytesIO(struct.pack(">I", 2**31) + b"{}"), "a head of 2,147,483,648 bytes"),
        (io.BytesIO(struct.pack(">I", 4) + b"nope"), "a head that is not JSON"),
        (io.BytesIO(struct.pack(">I", 4) + b"\xff\xfe{}"), "a head that is not JSON"),
        (io.BytesIO(struct.pack(">I", 200_000) + b"[" * 200_000), "a head that is not JSON"),
        (io.BytesIO(struct.pack(">I", 9_000) + b"1" * 9_000), "a head that is not JSON"),
        (message([]), "a head without sizes"),
        (message({}), "a head without sizes"),
        (message({"sizes": 3}), "a head without sizes"),
        (message({"sizes": [-1]}), "a head without sizes"),
        (message({"sizes": [1.0]}), "a head without sizes"),
        (message({"sizes": [True]}), "a head without sizes"),
        (message({"sizes": [600, 600]}), "1,200 bytes where at most 1,000 fit"),
        (message({"sizes": [10**30]}), "bytes where at most 1,000 fit"),
    ],
)
def test_messages_that_make_no_sense_are_refused_before_memory_is_taken(stream, text):
    with pytest.raises(wire.WireError, match=text):
        wire.receive(stream, 1000)


@pytest.mark.parametrize("cut", [0, 2, 4, 10, 30])
def test_a_stream_that_ends_is_told_from_nonsense(cut):
    stream = io.BytesIO()
    wire.send(stream, {"a": 1}, [memoryview(b"12345678")])
    with pytest.raises(EOFError):
        wire.receive(io.BytesIO(stream.getvalue()[:cut]), 1000)


@pytest.mark.parametrize(
    "tree",
    [
        [1],
        {},
        {"list": [], "tuple": []},
        {"list": 3},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"bytes": 1},
        {"bytes": -1},
        {"bytes": True},
        {"bytes": "0"},
        {"array": [0, "<u2", [3]]},
        {"array": [0, "|u1", [-8]]},
        {"array": [0, "|u1", [2**62, 4]]},
        {"array": [0, "|u1", [2.0, 4]]},
        {"array": [0, "|O", [1]]},
        {"array": [0, "<U2", [1]]},
        {"array": [0, ["|u1"], [8]]},
        {"array": [0, "|u1", 8]},
        {"array": [0, "|u1"]},
        {"object": "os.system"},
    ],
)
def test_values_that_are_never_sent_are_refused(tree):
    with pytest.raises(wire.WireError):
        wire.unpack({"list": [tree]}, [np.zeros(8, np.uint8)])


def test_samples_that_are_none_are_refused():
    whole = wire.pack_sample(Sample(image=np.zeros((2, 2, 1), np.uint8)), [])
    data = [np.zeros(4, np.uint8)]
    assert wire.unpack_sample(whole, data).image.shape == (2, 2, 1)
    flat = {"array": [0, "|u1", [4]]}
    for wrong in (
        None,
        {key: value for key, value in whole.items() if key != "mask"},
        whole | {"extra": 1},
        whole | {"image": None},
        whole | {"image": flat},
        whole | {"meta": None},
    ):
        with pytest.raises(wire.WireError, match="a sample with"):
            wire.unpack_sample(wrong, data)


def test_a_head_too_long_to_send_is_said():
    with pytest.raises(wire.WireError, match="bytes of metadata"):
        wire.send(io.BytesIO(), {"text": "x" * wire.MAX_HEAD_BYTES})


@pytest.mark.parametrize(
    "error",
    [
        DataError("a", expected="b", got="c", fix="d", vietnamese="đ"),
        ConfigError("a"),
        ModelError("a", fix="b"),
        MissingExtraError("pydicom", "clinic"),
    ],
)
def test_typed_errors_cross_with_all_their_parts(error):
    head, _ = sent({"error": answers.describe(error)})
    back = answers.failure("x.png", head, 2**30)
    assert type(back) is type(error)
    assert vars(back) == vars(error)
    assert str(back) == str(error)


def test_an_error_of_a_kind_of_its_own_crosses_as_its_parent():
    class SpecialError(DataError):
        pass

    head, _ = sent({"error": answers.describe(SpecialError("a", got="b"))})
    back = answers.failure("x.png", head, 2**30)
    assert type(back) is DataError
    assert str(back) == "a: got b"


@pytest.mark.parametrize(
    "head",
    [
        {},
        {"error": 3},
        {"error": {"class": "SystemExit", "problem": "a"}},
        {"error": {"class": "DataError"}},
        {"error": {"class": "DataError", "problem": [], "expected": "", "got": "", "fix": ""}},
        {"error": {"class": "MissingExtraError", "problem": "a"}},
        {"ran_out": "perhaps"},
        {"untyped": 4},
    ],
)
def test_errors_that_make_no_sense_are_refused(head):
    back = answers.failure("x.png", head, 2**30)
    assert isinstance(back, DecoderError)
    assert back.kind == "protocol"
    assert str(back).startswith("x.png cannot be read: the decoder's answer made no sense")


def test_limits_are_said_in_both_languages():
    memory, time = DecoderError.memory("a.png", 1536 * 2**20), DecoderError.time("a.png", 2.5)
    assert memory.in_both() == (
        "a.png needs too much memory to decode: expected an image that fits the decoder's memory limit, "
        "got more than 1,536 MB; shrink it, or leave it out | a.png: cần quá nhiều bộ nhớ để giải mã "
        "(hơn 1.536 MB); hãy thu nhỏ ảnh, hoặc bỏ tệp này"
    )
    assert time.in_both() == (
        "a.png takes too long to decode: expected an image that decodes within the time limit, "
        "got more than 2.5 s; shrink it, or leave it out | a.png: mất quá nhiều thời gian để giải mã "
        "(hơn 2,5 giây); hãy thu nhỏ ảnh, hoặc bỏ tệp này"
    )
