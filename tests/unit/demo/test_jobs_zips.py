"""An upload is unpacked as pictures only, whatever else its maker wanted."""

from __future__ import annotations

import io
import random
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vnvision.errors import DataError
from vnvision_demo.jobs.zips import ZipLimits, unpack_pictures


def picture(kind: str = "PNG", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def zipped(path: Path, *files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return path


def raw_zip(*files: tuple[bytes, bytes], flags: int = 0, extra: bytes = b"") -> bytes:
    """A zip of stored files whose names are these very bytes."""
    out, listed = b"", b""
    for name, data in files:
        sizes = struct.pack("<III", zlib.crc32(data), len(data), len(data))
        common = struct.pack("<HHHHH", 20, flags, 0, 0, 33) + sizes
        listed += b"PK\1\2" + struct.pack("<H", 20) + common
        listed += struct.pack("<HHHHHII", len(name), len(extra), 0, 0, 0, 0, len(out)) + name + extra
        out += b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name + data
    end = struct.pack("<HHHHIIH", 0, 0, len(files), len(files), len(listed), len(out), 0)
    return out + listed + b"PK\5\6" + end


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def names(found) -> list[str]:
    return [name for name, _ in found.files]


def refused(path: Path, into: Path, limits: ZipLimits | None = None) -> DataError:
    """The one error, in both languages, with nothing left behind."""
    into.mkdir(exist_ok=True)
    with pytest.raises(DataError) as caught:
        unpack_pictures(path, into, limits)
    assert caught.value.vietnamese
    assert caught.value.fix
    assert list(into.iterdir()) == []
    return caught.value


def test_pictures_come_out_under_names_of_our_own_and_keep_theirs_to_show(tmp_path):
    files = [(f"people/{who}/{n}.{kind.lower()}", picture(kind, n)) for who in ("An", "Bình")
             for n, kind in enumerate(("PNG", "JPEG", "WEBP", "TIFF", "BMP"))]  # fmt: skip
    found = unpack_pictures(zipped(tmp_path / "a.zip", *files), tmp_path)
    assert found.top == "people/"
    assert names(found) == [name.removeprefix("people/") for name, _ in files]
    assert [path.read_bytes() for _, path in found.files] == [data for _, data in files]
    assert all(path.parent == found.root and path.stem.isdigit() for _, path in found.files)
    assert stat.S_IMODE(found.root.stat().st_mode) == 0o700
    assert found.root.parent == tmp_path


def test_what_is_no_picture_by_its_bytes_stays_inside(tmp_path):
    inner = zipped(tmp_path / "inner.zip", ("1.png", picture())).read_bytes()
    files = [
        ("a/1.png", picture()), ("a/fake.jpg", b"MZ not a picture"), ("a/in.zip", inner), ("a/0.png", b""),
        ("__MACOSX/a/._1.png", picture()), ("a/._2.png", picture()), ("a/.DS_Store", b"x"),
        ("a/Thumbs.db", picture()), ("A/1.PNG", picture("PNG", 1)), ("n" * 400 + ".png", picture()),
    ]  # fmt: skip
    found = unpack_pictures(zipped(tmp_path / "a.zip", *files), tmp_path)
    assert names(found) == ["1.png"]
    assert [why for _, why in found.skipped] == [
        "no_picture", "zip_inside", "empty", *["system_file"] * 4, "same_name", "name_too_long",
    ]  # fmt: skip
    assert len(list(found.root.iterdir())) == 1


def test_one_folder_has_one_spelling(tmp_path):
    loose = unicodedata.normalize("NFD", "Bình")
    files = [("x/Bình/1.png", picture()), (f"x/{loose}/2.png", picture()), ("x/BÌNH/3.png", picture()),
             ("x/An/1.png", picture())]  # fmt: skip
    found = unpack_pictures(zipped(tmp_path / "a.zip", *files), tmp_path)
    assert names(found) == ["Bình/1.png", "Bình/2.png", "Bình/3.png", "An/1.png"]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Nguyễn Thị Ánh/ảnh.png".encode(), "ảnh.png"),
        (unicodedata.normalize("NFD", "Trần/ảnh 1.png").encode(), "ảnh 1.png"),
        (b"Nguy\xea\xden/\xc1nh.png", "Ánh.png"),
        (b"\xd0\xf4ng/\xf0.png", "đ.png"),
        (b"M\x81ller/\x81.png", "ü.png"),
        (b"a\\b\\1.png", "1.png"),
        (b"a/bad\x01\xe2\x80\xae.png", "bad__.png"),
    ],
)
def test_names_are_read_as_they_were_written(tmp_path, raw, name):
    found = unpack_pictures(saved(tmp_path / "a.zip", raw_zip((raw, picture()))), tmp_path)
    assert names(found) == [name]
    assert found.top.count("/") == raw.count(b"/") + raw.count(b"\\")


def test_code_page_1258_spells_the_folder(tmp_path):
    files = ((b"Nguy\xea\xden/1.png", picture()), (b"Tr\xe2\xccn/1.png", picture()))
    found = unpack_pictures(saved(tmp_path / "a.zip", raw_zip(*files)), tmp_path)
    assert names(found) == ["Nguyễn/1.png", "Trần/1.png"]


def test_the_unicode_path_field_counts_where_it_fits(tmp_path):
    body = b"\1" + struct.pack("<I", zlib.crc32(b"x.png")) + "Ánh.png".encode()
    extra = struct.pack("<HH", 0x7075, len(body)) + body
    for raw, wanted in ((b"x.png", "Ánh.png"), (b"y.png", "y.png")):
        found = unpack_pictures(saved(tmp_path / "a.zip", raw_zip((raw, picture()), extra=extra)), tmp_path)
        assert names(found) == [wanted]


@pytest.mark.parametrize(
    "name", [b"../1.png", b"a/../../1.png", b"/etc/1.png", b"C:\\1.png", b"..\\1.png", b"\\\\host\\1.png",
             b"a\0.png"],
)  # fmt: skip
def test_names_that_lead_out_are_refused_whole(tmp_path, name):
    path = saved(tmp_path / "a.zip", raw_zip((b"ok.png", picture()), (name, picture())))
    assert "out of its folder" in str(refused(path, tmp_path / "out"))


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
def test_links_and_devices_stay_inside(tmp_path, mode):
    info = zipfile.ZipInfo("a/link.png")
    info.create_system, info.external_attr = 3, (mode | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, picture())
        archive.writestr("a/1.png", picture())
    found = unpack_pictures(tmp_path / "a.zip", tmp_path)
    assert (names(found), found.skipped) == (["1.png"], (("a/link.png", "link"),))


def test_a_password_is_one_clear_error(tmp_path):
    path = saved(tmp_path / "a.zip", raw_zip((b"1.png", picture()), flags=1))
    assert "password" in str(refused(path, tmp_path / "out"))


def test_other_packing_is_one_clear_error(tmp_path):
    path = zipped(tmp_path / "a.zip", ("1.png", picture()), method=zipfile.ZIP_BZIP2)
    assert "method 12" in str(refused(path, tmp_path / "out"))


def bomb(size: int = 4 << 20) -> bytes:
    """A picture's head and then zeros."""
    return picture("BMP")[:60] + bytes(size)


def test_sizes_are_measured_and_not_believed(tmp_path):
    data = bytearray(zipped(tmp_path / "a.zip", ("1.bmp", bomb())).read_bytes())
    at = data.rfind(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 10)
    path = saved(tmp_path / "b.zip", bytes(data))
    found = refused(path, tmp_path / "out", ZipLimits(file_bytes=1 << 20))
    assert "the picture 1.bmp" in str(found)
    assert "unpacked pictures" in str(refused(path, tmp_path / "out", ZipLimits(total_bytes=1 << 20)))
    assert "times its own size" in str(refused(path, tmp_path / "out", ZipLimits(free_bytes=1 << 20)))


def test_entries_that_share_bytes_are_refused(tmp_path):
    """Fifield's construction in small: a second entry's list line points into the first one's data."""
    data = raw_zip((b"1.png", picture()), (b"2.png", picture()))
    second = data.rfind(b"PK\1\2")
    shared = data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]
    assert "over each other" in str(refused(saved(tmp_path / "a.zip", shared), tmp_path / "out"))
    quoted = raw_zip((b"a.png", b"PK\3\4" + bytes(26) + picture()))
    listed = quoted.rfind(b"PK\1\2")
    again = quoted[listed:-22]
    twice = again[:42] + struct.pack("<I", 35) + again[46:]
    end = struct.pack("<HHHHIIH", 0, 0, 2, 2, len(again) * 2, listed, 0)
    path = saved(tmp_path / "b.zip", quoted[:listed] + again + twice + b"PK\5\6" + end)
    assert "over each other" in str(refused(path, tmp_path / "out"))


def test_too_many_entries_are_refused_before_they_are_read(tmp_path):
    path = zipped(tmp_path / "a.zip", *((f"{n}.png", b"") for n in range(50)))
    assert "at most 40" in str(refused(path, tmp_path / "out", ZipLimits(entries=40)))
    lying = path.read_bytes()[:-22] + b"PK\5\6" + struct.pack("<HHHHII", 0, 0, 1, 1, *struct.unpack(
        "<II", path.read_bytes()[-10:-2])) + b"\0\0"  # fmt: skip
    path.write_bytes(lying)
    assert "at most 40" in str(refused(path, tmp_path / "out", ZipLimits(entries=40)))


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "0 bytes"), (b"hello", "text"), (picture(), "PNG"), (b"Rar!\x1a\7", "RAR"),
        (raw_zip((b"1.png", picture()))[:-30], "damaged"), (raw_zip((b"1.txt", b"x")), "no picture"),
        (raw_zip(), "no picture"),
    ],
)  # fmt: skip
def test_what_is_no_sound_zip_is_one_clear_error(tmp_path, data, word):
    assert word in str(refused(saved(tmp_path / "a.zip", data), tmp_path / "out"))


def test_the_signature_may_stand_in_the_comment(tmp_path):
    comment = b"PK\5\6" + bytes(40)
    data = raw_zip((b"1.png", picture()))[:-2] + struct.pack("<H", len(comment)) + comment
    assert names(unpack_pictures(saved(tmp_path / "a.zip", data), tmp_path)) == ["1.png"]


def test_a_changed_picture_is_found_by_its_checksum(tmp_path):
    data = bytearray(raw_zip((b"1.png", picture())))
    data[35 + 60] ^= 1
    assert "not what was packed" in str(refused(saved(tmp_path / "a.zip", bytes(data)), tmp_path / "out"))


def test_64_bit_zips_and_streamed_ones_are_read(tmp_path):
    class Pipe(io.RawIOBase):
        def __init__(self):
            self.data = bytearray()

        def writable(self):
            return True

        def write(self, part):
            self.data += bytes(part)
            return len(part)

    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive,  # sizes follow the data
        archive.open("a/1.png", "w", force_zip64=True) as out,
    ):
        out.write(picture())
    assert names(unpack_pictures(saved(tmp_path / "a.zip", bytes(pipe.data)), tmp_path)) == ["1.png"]
    plain = raw_zip((b"1.png", picture()))
    count, _, listed, offset, _ = struct.unpack("<HHIIH", plain[-14:])
    wide = struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, listed, offset)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(plain) - 22, 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path = saved(tmp_path / "b.zip", plain[:-22] + b"PK\6\6" + wide + locator + end)
    assert names(unpack_pictures(path, tmp_path)) == ["1.png"]


def test_progress_reaches_the_end_and_may_stop_the_work(tmp_path):
    path = zipped(tmp_path / "a.zip", *((f"{n}.png", picture(seed=n)) for n in range(4)))
    told = []
    unpack_pictures(path, tmp_path, progress=lambda share, stage: told.append((share, stage)))
    assert told == sorted(told)
    assert told[-1] == (1.0, "unpack")

    def stop(share, stage):
        if share > 0.4:
            raise KeyboardInterrupt

    into = tmp_path / "out"
    into.mkdir()
    with pytest.raises(KeyboardInterrupt):
        unpack_pictures(path, into, progress=stop)
    assert list(into.iterdir()) == []


LIMITS = ZipLimits(entries=50, file_bytes=40_000, total_bytes=60_000, free_bytes=50_000, ratio=10)


@pytest.mark.parametrize("seed", range(40))
def test_mutated_zips_give_pictures_or_one_error(tmp_path, seed):
    """Bytes changed, cut, doubled: never another exception, a file outside, or more than allowed."""
    rng = random.Random(seed)
    base = [("p/An/1.png", picture()), ("p/Bình/2.jpg", picture("JPEG")), ("p/x.bmp", bomb(30_000))]
    sound = zipped(tmp_path / "sound.zip", *base, method=rng.choice([0, 8])).read_bytes()
    into, path = tmp_path / "out", tmp_path / "a.zip"
    into.mkdir()
    for _ in range(25):
        data = bytearray(sound)
        for _ in range(rng.randint(1, 6)):
            at, how = rng.randrange(len(data)), rng.random()
            if rng.random() < 0.6:  # where the structure lies
                at = max(0, len(data) - rng.randint(1, 320))
            if how < 0.6:
                data[at] = rng.choice([0, 0xFF, rng.randrange(256), data[at] ^ 1 << rng.randrange(8)])
            elif how < 0.8:
                del data[at : at + rng.randint(1, 60)]
            else:
                data[at:at] = data[at : at + rng.randint(1, 80)]
            data = data or bytearray(b"P")
        before = set(tmp_path.iterdir())
        try:
            found = unpack_pictures(saved(path, bytes(data)), into, LIMITS)
        except DataError:
            assert list(into.iterdir()) == []
        else:
            written = list(found.root.iterdir())
            assert {file for _, file in found.files} == set(written)
            assert sum(file.stat().st_size for file in written) <= LIMITS.total_bytes
            for file in written:
                file.unlink()
            found.root.rmdir()
        assert set(tmp_path.iterdir()) - before <= {path}


def test_zipfile_reads_the_same(tmp_path):
    """Against Python's own: the same names and the same bytes, for every sound zip."""
    rng = random.Random(3)
    for number in range(20):
        files = {f"r/{rng.randrange(10**6)}/{n}.png": picture(seed=n) for n in range(rng.randint(1, 8))}
        path = zipped(tmp_path / f"{number}.zip", *files.items(), method=rng.choice([0, 8]))
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = b"a comment" * rng.randrange(2)
        found = unpack_pictures(path, tmp_path)
        with zipfile.ZipFile(path) as archive:
            wanted = {name: archive.read(name) for name in archive.namelist()}
        assert {found.top + name: file.read_bytes() for name, file in found.files} == wanted
