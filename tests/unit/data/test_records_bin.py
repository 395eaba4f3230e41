"""``.bin`` sets: what is written loads anywhere; what is hostile runs nothing."""

import os
import pickle
import pickletools

import numpy as np
import pytest

from vnvision.data.records.bin_sets import BinSet, read_bin
from vnvision.data.records.bin_writer import write_bin
from vnvision.errors import DataError

IMAGES, SAME = [b"\xff\xd8first", b"second", b"third", b"", b"e" * 300, b"f"], [True, False, True]


def test_what_is_written_is_what_insightface_loads_and_what_we_read(tmp_path):
    path = write_bin(IMAGES, SAME, tmp_path / "a.bin")
    assert pickle.loads(path.read_bytes(), encoding="bytes") == (IMAGES, SAME)
    assert read_bin(path) == BinSet(tuple(IMAGES), tuple(SAME))
    names = {op.name for op, _, _ in pickletools.genops(path.read_bytes())}
    assert not names & {"GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ"}


def test_what_cannot_be_written(tmp_path):
    for images, same, message in (
        (IMAGES, SAME[:2], "images and pairs do not fit: expected two images a pair, got 6 images, 2 pairs"),
        ([], [], "images and pairs do not fit"),
        ([b"a", "b"], [True], "an image: expected bytes of an image file, got str"),
    ):
        with pytest.raises(DataError, match=message):
            write_bin(images, same, tmp_path / "a.bin")
    assert list(tmp_path.iterdir()) == []


class Runs:
    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
def test_a_hostile_pickle_runs_nothing(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([Runs(os.system, "touch hacked")], [True]), protocol))
    with pytest.raises(DataError, match=r"a\.bin asks for (posix|nt)\.system: expected nothing but images"):
        read_bin(tmp_path / "a.bin")
    assert [file.name for file in tmp_path.iterdir()] == ["a.bin"]


HEAD, TAIL = b"\x80\x02", b"."


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # os.system through INST, through OBJ, and as a class made by NEWOBJ
        (b"(S'touch hacked'\nios\nsystem\n.", "makes an object"),
        (HEAD + b"(cos\nsystem\nX\x0c\0\0\0touch hackedo.", "asks for os.system"),
        (HEAD + b"c__builtin__\nbytes\n)\x81.", "makes an object"),
        (HEAD + b"\x82\x01.", "makes an object"),  # from the extension registry
        # memory: two thousand million memo places, an array and bytes of that size
        (HEAD + b"Nr\xff\xff\xff\x7f.", r"no \.bin set"),
        (HEAD + b"cnumpy\nndarray\n(J\xff\xff\xff\x7ftR.", "asks for memory"),
        (HEAD + b"c__builtin__\nbytes\n(J\xff\xff\xff\x7ftR.", "an image is longer than the file"),
        (
            HEAD
            + b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85C\x01b\x87R.",
            "memory",
        ),
        (b"\x80\x05\x96\xff\xff\xff\x7f\0\0\0\0.", "an image is longer than the file"),
        # changing a function that is let through
        (HEAD + b"cnumpy.core.multiarray\n_reconstruct\n}X\x01\0\0\0aK\x01sb.", "changes an object"),
    ],
)
def test_what_no_bin_set_has_is_refused(tmp_path, monkeypatch, data, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.bin").write_bytes(data)
    with pytest.raises(DataError, match=message):
        read_bin(tmp_path / "a.bin")
    assert not (tmp_path / "hacked").exists()


def test_one_image_named_many_times_is_kept_once(tmp_path):
    image = bytearray(b"x" * 1000)
    (tmp_path / "a.bin").write_bytes(pickle.dumps(([image] * 2000, [True] * 1000), 2))
    found = read_bin(tmp_path / "a.bin")
    assert len({id(one) for one in found.images}) == 1


def test_damaged_files_raise_our_errors_only(tmp_path):
    rng = np.random.default_rng(1)
    arrays = [np.frombuffer(image or b"x", np.uint8) for image in IMAGES]
    clean = [pickle.dumps((arrays, np.array(SAME)), p) for p in (0, 2, 4, 5)]
    clean.append(write_bin(IMAGES, SAME, tmp_path / "w.bin").read_bytes())
    path, errors = tmp_path / "a.bin", 0
    for trial in range(600):
        data = bytearray(clean[trial % len(clean)])
        for _ in range(int(rng.integers(1, 4))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(len(data)))] if trial % 7 == 0 else data)
        try:
            read_bin(path)
        except DataError:
            errors += 1
    assert errors > 120
