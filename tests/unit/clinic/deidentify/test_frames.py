"""Compressed frames: the same pixels, none of the texts that a codec let in."""

import contextlib
import io
import struct

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import encapsulate
from pydicom.pixels import pixel_array
from raw_dicom import Raw
from searching import everything, found

from vnvision.clinic.deidentify import Options, deidentify_file, jpeg, jpeg2000, rle
from vnvision.errors import DataError

TOKEN = "NguyenVanTeo47118"
RNG = np.random.default_rng(4)
GREY = (np.add.outer(np.arange(40), np.arange(48)) * 2 + RNG.integers(0, 30, (40, 48))).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
BASE = "1.2.840.10008.1.2.4."


def saved(image, **options):
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, **options)
    return stream.getvalue()


def planted_jpeg(image):
    exif = Image.Exif()
    exif[0x010E] = TOKEN
    data = saved(image, format="JPEG", quality=90, comment=TOKEN.encode(), exif=exif.tobytes())
    app9 = b"\xff\xe9" + struct.pack(">H", len(TOKEN) + 2) + TOKEN.encode()
    scan = data.index(b"\xff\xda")
    return data[:scan] + app9 + data[scan:] + TOKEN.encode()


def planted_jpeg_2000(image):
    data = saved(image, format="JPEG2000", no_jp2=True, irreversible=False, comment=TOKEN)
    tile = data.index(b"\xff\x90")
    size = int.from_bytes(data[tile + 6 : tile + 10], "big")
    comment = b"\xff\x64" + struct.pack(">HH", len(TOKEN) + 4, 1) + TOKEN.encode()
    longer = (
        data[:tile]
        + data[tile : tile + 6]
        + struct.pack(">I", size + len(comment))
        + data[tile + 10 : tile + 12]
    )
    return longer + comment + data[tile + 12 :] + TOKEN.encode()


def planted_jp2(image):
    codestream = planted_jpeg_2000(image)[: -len(TOKEN)]
    data = saved(image, format="JPEG2000", irreversible=False)
    start = data.index(b"jp2c") - 4
    box = struct.pack(">I", len(TOKEN) + 8) + b"xml " + TOKEN.encode()
    return data[:start] + box + struct.pack(">I", len(codestream) + 8) + b"jp2c" + codestream + box


def planted_jpeg_ls(image):
    jpeg_ls = pytest.importorskip("jpeg_ls")
    data = bytes(jpeg_ls.encode_array(np.ascontiguousarray(image)))
    segment = struct.pack(">H", len(TOKEN) + 2) + TOKEN.encode()
    return data[:2] + b"\xff\xe7" + segment + b"\xff\xfe" + segment + data[2:] + TOKEN.encode()


def planted_rle(image):
    from pydicom.pixels.encoders.native import _encode_frame

    plain = _encode_frame(image.tobytes(), _Runner(image))
    return plain + TOKEN.encode() + b"\0"


class _Runner:
    """What pydicom's RLE encoder asks of its caller."""

    def __init__(self, image):
        self.rows, self.columns = image.shape[:2]
        self.samples_per_pixel = 1 if image.ndim == 2 else 3
        self.bits_allocated, self.planar_configuration, self.byteorder = 8, 0, "<"

    def get_option(self, name, default=None):
        return getattr(self, name, default)


def file_of(frames, image, syntax, photometric):
    raw = Raw(syntax)
    made = raw.image(GREY)
    samples = 1 if image.ndim == 2 else 3
    for tag, value in ((0x00280002, samples), (0x00280100, 8), (0x00280101, 8), (0x00280102, 7)):
        made[tag] = raw.number(tag, value)
    made[0x00280006] = raw.number(0x00280006, 0)
    made[0x00280004] = raw.text(0x00280004, "CS", photometric)
    made[0x00280008] = raw.text(0x00280008, "IS", str(len(frames)))
    made[0x7FE00010] = raw.element(0x7FE00010, "OB", encapsulate(frames), undefined=True)
    return raw.file(dict(made), behind=struct.pack("<HHL", 0xFFFE, 0xE0DD, 0))


@pytest.mark.parametrize(
    ("plant", "image", "syntax", "photometric"),
    [
        (planted_jpeg, GREY, BASE + "50", "MONOCHROME2"),
        (planted_jpeg, COLOUR, BASE + "50", "YBR_FULL_422"),
        (planted_jpeg_2000, GREY, BASE + "90", "MONOCHROME2"),
        (planted_jpeg_2000, COLOUR, BASE + "91", "RGB"),
        (planted_jp2, GREY, BASE + "90", "MONOCHROME2"),
        (planted_jpeg_ls, GREY, BASE + "80", "MONOCHROME2"),
        (planted_rle, GREY, "1.2.840.10008.1.2.5", "MONOCHROME2"),
    ],
)
@pytest.mark.parametrize("count", [1, 3])
def test_texts_inside_compressed_frames(tmp_path, key, plant, image, syntax, photometric, count):
    frames = [plant(np.roll(image, 3 * i, axis=0)) for i in range(count)]
    source = tmp_path / "in.dcm"
    source.write_bytes(file_of(frames, image, syntax, photometric))
    assert found([TOKEN], source.read_bytes())
    done = deidentify_file(source, tmp_path / "out", Options(), key)
    assert found([TOKEN, "Exif", "Teo47"], everything(tmp_path / "out")) == []
    made = pydicom.dcmread(tmp_path / "out" / done.file)
    assert made.file_meta.TransferSyntaxUID == syntax
    assert np.array_equal(pixel_array(made), pixel_array(source))


def test_icons_are_removed(tmp_path, key):
    raw = Raw()
    icon = (
        raw.number(0x00280010, 8) + raw.number(0x00280011, 8) + raw.element(0x7FE00010, "OB", TOKEN.encode())
    )
    planted = {0x00880200: raw.sequence(0x00880200, [icon]), 0x00091010: raw.sequence(0x00091010, [icon])}
    (tmp_path / "in.dcm").write_bytes(raw.file(raw.image() | planted))
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(), key)
    assert "IconImageSequence" not in pydicom.dcmread(tmp_path / "out" / done.file)
    assert found([TOKEN], everything(tmp_path / "out")) == []


@pytest.mark.parametrize(
    ("strip", "good"),
    [
        (jpeg.stripped, planted_jpeg(GREY)),
        (jpeg2000.stripped, planted_jpeg_2000(GREY)),
        (lambda frame: rle.stripped(frame, GREY.size), planted_rle(GREY)),
    ],
)
def test_damaged_frames_are_a_data_error(strip, good):
    whole = strip(good)
    assert strip(whole) == whole
    for length in (0, 1, 2, 3, 20, 70, len(whole) // 2):
        with pytest.raises(DataError, match="a compressed frame is damaged"):
            strip(whole[:length])
    for place in range(0, min(400, len(good)), 3):
        broken = bytearray(good)
        broken[place] ^= 0xFF
        with contextlib.suppress(DataError):  # and nothing else
            strip(bytes(broken))


def longer(frame, marker):
    """A frame with a token behind the content of one segment, its length made to fit."""
    at, token = frame.index(marker), TOKEN.encode()
    length = int.from_bytes(frame[at + 2 : at + 4], "big")
    head = frame[: at + 2] + (length + len(token)).to_bytes(2, "big") + frame[at + 4 : at + 2 + length]
    return head + token + frame[at + 2 + length :]


@pytest.mark.parametrize(
    ("strip", "frame", "marker"),
    [(jpeg.stripped, planted_jpeg(GREY), bytes((0xFF, m))) for m in (0xC0, 0xC4, 0xDA, 0xDB)]
    + [(jpeg2000.stripped, planted_jpeg_2000(GREY), bytes((0xFF, m))) for m in (0x51, 0x52)],
)
def test_texts_behind_the_content_of_a_segment(strip, frame, marker):
    with pytest.raises(DataError, match="a compressed frame is damaged"):
        strip(longer(frame, marker))
