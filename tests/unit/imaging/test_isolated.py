from __future__ import annotations

import gc
import os
import re
import signal
import struct
import sys
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError, VnvisionError
from vnvision.imaging import read
from vnvision.imaging.isolated import DecoderError, IsolatedReader
from vnvision.records import Sample

linux = pytest.mark.skipif(sys.platform != "linux", reason="these limits are Linux's")
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")

# Runs in the decoder process as it starts, for its import path is ours: a BMP decoder that does what the
# file's last bytes say.
TRAPS = """
import os, signal, sys, time
from PIL import BmpImagePlugin
sound = BmpImagePlugin.BmpImageFile
kept = []

class Surprise(Exception):
    pass

def trapped(stream):
    name, _, argument = stream.getvalue().rpartition(b"#")[2].decode("latin-1").partition(":")
    if name == "signal":
        os.kill(os.getpid(), int(argument))
    elif name == "exit":
        os._exit(int(argument))
    elif name == "sleep":
        time.sleep(60)
    elif name == "surprise":
        raise Surprise("nobody\\nforesaw this")
    elif name == "memory":
        raise MemoryError
    elif name == "late memory":
        bytearray(int(argument) << 20)
    elif name == "value":
        raise ValueError(os.environ.get(argument, "not there"))
    elif name == "grow":
        kept.append(bytearray(int(argument) << 20))
    elif name == "spin":
        while True:
            pass
    elif name == "print":
        os.write(1, b"a library talks to itself" * 100)
    elif name == "file":
        with open(argument, "wb", buffering=0) as out:
            out.write(b"x")
    elif name == "junk":
        for handle in range(3, 30):
            try:
                os.write(handle, bytes.fromhex(argument))
            except OSError:
                pass
    return sound(stream)

BmpImagePlugin.BmpImageFile = trapped
"""


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("traps")
    (folder / "sitecustomize.py").write_text(TRAPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(scope="module")
def reader(traps):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VNVISION_KEY", "hush")
        patch.setenv("LC_TEST", "passed on")
        with IsolatedReader() as opened:
            yield opened


@pytest.fixture
def bmp(encoded, picture):
    """A sound bitmap that carries an instruction for the traps."""
    return lambda words="": encoded(picture(), "BMP") + b"#" + words.encode()


def equal(one: Sample, two: Sample) -> bool:
    """Every field the same, arrays in type and bits."""
    for field in fields(Sample):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, np.ndarray):
            if not (a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()):
                return False
        elif type(a) is not type(b) or a != b:
            return False
    return True


def outcome(function, *arguments, **options):
    """What is returned, or the error as text with its parts."""
    try:
        return function(*arguments, **options)
    except VnvisionError as exc:
        return type(exc), str(exc), exc.problem, exc.expected, exc.got, exc.fix, exc.vietnamese


def children() -> set[int]:
    found = set()
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(words[1]) == os.getpid() and words[0] != "Z":
            found.add(int(entry.parent.name))
    return found


def test_every_kind_of_file_is_read_as_without_isolation(reader, samples):
    for name, data in samples.items():
        sample = reader.read(data)
        assert equal(sample, read(data)), name
        assert sample.image.flags.writeable
        assert sample.image.flags.c_contiguous


@pytest.mark.parametrize("name", ["ảnh lá lúa.png", "surrogate_\udcff.png"])
def test_paths_are_read_as_without_isolation(reader, samples, tmp_path, monkeypatch, name):
    path = tmp_path / name
    try:
        path.write_bytes(samples["png"])
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    assert equal(reader.read(path), read(path))
    assert reader.read(str(path)).source == str(path)
    monkeypatch.chdir(tmp_path)  # after the process started elsewhere
    assert equal(reader.read(name), read(name))


@pytest.mark.parametrize("wrap", [bytes, bytearray, memoryview, lambda data: memoryview(data + b"x")[:-1]])
def test_bytes_of_every_kind_are_read(reader, samples, wrap):
    assert equal(reader.read(wrap(samples["jpeg"])), read(samples["jpeg"]))


def test_errors_are_those_of_read(reader, samples, tmp_path):
    (tmp_path / "text.txt").write_text("not an image")
    (tmp_path / "empty.png").touch()
    png = samples["png"]
    for source in (
        b"",
        png[:-20],
        png[:60] + b"\xff" + png[61:],
        samples["jpeg"][:200],
        b"%PDF-1.7",
        tmp_path,
        tmp_path / "text.txt",
        tmp_path / "empty.png",
        tmp_path / "nothing.png",
        "nothing at all.png",
        "zero\0byte.png",
        17,
    ):
        expected = outcome(read, source)
        assert isinstance(expected, tuple), source
        assert outcome(reader.read, source) == expected


@linux
def test_a_relative_path_from_a_deleted_folder_does_not_exist(reader, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert outcome(reader.read, "a.png") == outcome(read, "a.png")


def test_options_go_to_read(reader, samples):
    assert outcome(reader.read, samples["png"], max_pixels=100) == outcome(
        read, samples["png"], max_pixels=100
    )
    assert "too large" in outcome(reader.read, samples["png"], max_pixels=100)[1]
    with pytest.raises(TypeError, match="colour"):
        reader.read(samples["png"], colour="grey")


def test_many_files_come_in_order_with_errors_in_their_places(samples):
    files = [samples["png"], b"", samples["jpeg"], b"BM", *samples.values()] * 2
    taken = []

    def sources():
        for index, data in enumerate(files):
            taken.append(index)
            yield data

    with IsolatedReader(workers=2) as reader:
        results = reader.read_many(sources(), max_pixels=10**6)
        first = next(results)
        assert len(taken) < 10  # some ahead, not all
        results = [first, *results]
    assert len(results) == len(files)
    for result, data in zip(results, files, strict=True):
        if isinstance(result, Sample):
            assert equal(result, read(data))
        else:
            assert type(result) is DataError
            assert (type(result), str(result)) == outcome(read, data)[:2]
    assert sum(isinstance(result, DataError) for result in results) == 4


def test_giving_up_on_many_files_leaves_the_reader_usable(reader, samples):
    results = reader.read_many([samples["png"]] * 20)
    next(results)
    results.close()
    assert equal(reader.read(samples["png"]), read(samples["png"]))


def test_threads_share_a_reader(samples):
    jobs = list(samples.values()) * 4
    truth = {data: read(data) for data in samples.values()}
    with IsolatedReader(workers=2) as reader, ThreadPoolExecutor(8) as pool:
        for data, sample in zip(jobs, pool.map(reader.read, jobs), strict=True):
            assert equal(sample, truth[data])


@posix
@pytest.mark.parametrize(
    ("words", "kind", "detail"),
    [
        (f"signal:{int(signal.SIGSEGV)}", "crash", "signal SIGSEGV"),
        (f"signal:{int(signal.SIGRTMIN) + 3}", "crash", f"signal {int(signal.SIGRTMIN) + 3}"),
        ("exit:0", "crash", "exit code 0"),
        ("surprise", "untyped", r"Surprise in sitecustomize.py:\d+"),
        ("memory", "memory", "more than 1,024 MB"),
        ("late memory:3000", "memory", "more than 1,024 MB"),
        ("junk:ffffffff", "protocol", "a head of 4,294,967,295 bytes"),
        ("junk:0000000d" + b'{"sizes": []}'.hex(), "protocol", "neither an image nor an error"),
    ],
)
def test_a_file_that_breaks_its_decoder_is_an_error_and_the_next_is_read(reader, bmp, words, kind, detail):
    if "late" in words and sys.platform != "linux":
        pytest.skip("memory is limited on Linux only")
    with pytest.raises(DecoderError, match=r"^image bytes ") as caught:
        reader.read(bmp(words))
    assert caught.value.kind == kind
    assert re.fullmatch(detail, caught.value.detail)
    assert isinstance(caught.value, DataError)
    assert "\n" not in str(caught.value)
    assert "\n" not in caught.value.in_both()
    assert equal(reader.read(bmp()), read(bmp()))


def test_the_file_is_named_in_both_languages(reader, bmp, tmp_path):
    path = tmp_path / "la.bmp"
    path.write_bytes(bmp("exit:7"))
    with pytest.raises(DecoderError) as caught:
        reader.read(path)
    assert str(caught.value) == (
        f"{path} cannot be read: the decoder crashed on it: expected a sound image, got exit code 7; "
        "save it again as PNG or JPEG, or leave it out"
    )
    assert caught.value.vietnamese == (
        f"{path}: bộ giải mã dừng đột ngột khi đọc tệp này (exit code 7); "
        "hãy lưu lại dưới dạng PNG hoặc JPEG, hoặc bỏ tệp này"
    )


def test_a_file_that_takes_too_long_is_an_error(traps, bmp):
    with IsolatedReader(seconds=1) as reader:
        sound = reader.read(bmp())
        with pytest.raises(DecoderError, match="takes too long to decode") as caught:
            reader.read(bmp("sleep"))
        assert caught.value.kind == "time"
        assert caught.value.detail == "more than 1 s"
        assert equal(reader.read(bmp()), sound)


@linux
def test_a_bomb_meets_the_memory_limit(png, samples):
    """12,000 x 8,000 pixels of three 16-bit channels, 576 MB, in a file of some hundred bytes."""
    head = struct.pack(">IIBBBBB", 12_000, 8_000, 16, 2, 0, 0, 0)
    bomb = png(np.zeros((1, 1, 3), int), 2, 16).replace(struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0), head)
    at = bomb.index(b"IHDR")
    bomb = bomb[: at + 17] + struct.pack(">I", zlib.crc32(bomb[at : at + 17])) + bomb[at + 21 :]
    with IsolatedReader(memory_mb=200) as reader:
        with pytest.raises(DecoderError, match="needs too much memory to decode") as caught:
            reader.read(bomb)
        assert caught.value.kind == "memory"
        assert equal(reader.read(samples["png"]), read(samples["png"]))


@linux
def test_a_process_whose_memory_grew_is_replaced_before_it_harms_the_next_file(traps, bmp):
    with IsolatedReader(memory_mb=200) as reader:
        for words in ("grow:20", "grow:110", "grow:110", "grow:110"):
            assert equal(reader.read(bmp(words)), read(bmp()))
        with pytest.raises(DecoderError, match="needs too much memory to decode"):
            reader.read(bmp("grow:210"))


@linux
@pytest.mark.slow
def test_a_process_without_its_reader_is_ended_by_the_system(traps, bmp):
    from vnvision.imaging.isolated import wire
    from vnvision.imaging.isolated.process import Process

    process = Process(2**30, 60)
    process.start()
    buffers = []
    source = wire.pack(bmp("spin"), buffers)
    head = {"source": source, "options": wire.pack({}, []), "folder": None, "seconds": 0.1}
    wire.send(process._requests, head, buffers)
    try:
        assert process._child.wait(timeout=60) == -signal.SIGXCPU
    finally:
        process.close()


@linux
def test_linux_enforces_every_limit(reader, bmp, tmp_path):
    assert reader.limits == ("core", "cpu", "file_size", "memory")
    with pytest.raises(DataError, match="File too large"):
        reader.read(bmp(f"file:{tmp_path / 'out'}"))
    assert not (tmp_path / "out").read_bytes()


def test_secrets_in_the_environment_stay_here(reader, bmp):
    with pytest.raises(DataError, match="ValueError: not there"):
        reader.read(bmp("value:VNVISION_KEY"))
    with pytest.raises(DataError, match="ValueError: passed on"):
        reader.read(bmp("value:LC_TEST"))


def test_what_libraries_print_is_no_answer(reader, bmp):
    assert equal(reader.read(bmp("print")), read(bmp()))


@posix
def test_a_process_that_dies_idle_is_replaced(samples):
    with IsolatedReader() as reader:
        reader.read(samples["png"])
        (child,) = [process._child for process in reader._idle]
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        assert equal(reader.read(samples["png"]), read(samples["png"]))


def test_a_process_that_cannot_start_is_said(monkeypatch, samples, tmp_path):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no python here"))
    with IsolatedReader() as reader:
        for _ in range(2):
            with pytest.raises(ConfigError, match=r"the decoder process does not start: got .*No such file"):
                reader.read(samples["png"])
        monkeypatch.setattr(sys, "executable", "/bin/false")
        for _ in range(2):
            with pytest.raises(ConfigError, match="does not start: got exit code 1; run `python -m vnv"):
                reader.read(samples["png"])


@pytest.mark.parametrize("wrong", [{"memory_mb": 0}, {"seconds": -1}, {"workers": 0}])
def test_limits_must_be_positive(wrong):
    (name,) = wrong
    with pytest.raises(ConfigError, match=f"{name} of the isolated reader: expected more than 0"):
        IsolatedReader(**wrong)


def test_closing_twice_is_fine_and_a_closed_reader_says_so(samples):
    reader = IsolatedReader()
    reader.read(samples["png"])
    reader.close()
    reader.close()
    for use in (lambda: reader.read(samples["png"]), lambda: list(reader.read_many([b""]))):
        with pytest.raises(ConfigError, match="the isolated reader is closed; read inside `with"):
            use()


def test_closing_ends_reads_in_other_threads(traps, bmp):
    with IsolatedReader(seconds=50) as reader:
        reader.read(bmp())
        caught = []

        def hang():
            try:
                reader.read(bmp("sleep"))
            except VnvisionError as exc:
                caught.append(exc)

        threads = [
            threading.Thread(target=hang) for _ in range(2)
        ]  # the second waits for the first's process
        for thread in threads:
            thread.start()
        while not reader._busy:
            time.sleep(0.01)
        reader.close()
        for thread in threads:
            thread.join(timeout=20)
            assert not thread.is_alive()
    assert [str(exc) for exc in caught] == [
        "the isolated reader is closed; read inside `with IsolatedReader() as reader:`"
    ] * 2


@linux
def test_nothing_is_left_behind(traps, bmp, samples):
    def open_things():
        gc.collect()
        return len(list(Path("/proc/self/fd").iterdir())), children()

    before, threads = open_things(), threading.active_count()
    with IsolatedReader(workers=2, seconds=1) as reader:
        broken = [bmp("exit:1"), bmp("surprise"), bmp("sleep")]
        results = list(reader.read_many([*samples.values(), *broken, bmp()]))
        assert [type(result) for result in results[-4:]] == [DecoderError] * 3 + [Sample]
        assert children() - before[1]
    assert open_things() == before
    assert threading.active_count() == threads


@linux
def test_a_reader_that_is_forgotten_takes_its_process_along(samples):
    before = children()
    reader = IsolatedReader()
    reader.read(samples["png"])
    (child,) = children() - before
    del reader
    gc.collect()
    give_up = time.monotonic() + 10  # a killed process may take a moment to be gone
    while child in children() and time.monotonic() < give_up:
        time.sleep(0.02)
        gc.collect()
    assert child not in children()


@linux
def test_a_fork_is_told_to_open_its_own(samples):
    with IsolatedReader() as reader:
        reader.read(samples["png"])
        reader._pid += 1  # as a forked child sees it
        with pytest.raises(ConfigError, match="belongs to another process; open one in each process"):
            reader.read(samples["png"])
        reader._pid -= 1
        assert equal(reader.read(samples["png"]), read(samples["png"]))
