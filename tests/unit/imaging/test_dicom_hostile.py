"""DICOM that lies, stops early, or was made to do harm: one clear line each, and nothing unpacked before."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import tracemalloc
import warnings
import zlib
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from vnvision.errors import DataError, MissingExtraError
from vnvision.imaging import read
from vnvision.imaging.dicom import frames, read_dicom, toolkit

FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def picture(pixels: bytes = bytes(48), syntax=ExplicitVRLittleEndian, **elements) -> bytes:
    """A grey 6 x 8 picture of 8 bits, or what ``elements`` make of it."""
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.3"
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 6, 8, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    for keyword, value in elements.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    ds.PixelData = pixels
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = syntax.is_encapsulated
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("elements", "message"),
    [
        ({"Rows": None}, "image bytes: Rows: expected a whole number, got none"),
        ({"Rows": 0}, "image bytes: Rows, Columns: expected 1 to 65,535, got 0 x 8"),
        (
            {"Rows": 60000, "Columns": 60000},
            "too large: expected at most 100,000,000 pixels, got 60,000 x 60,000",
        ),
        ({"Rows": 60}, "got 48 bytes for 1 frames of 8 x 60, 480 expected"),
        ({"NumberOfFrames": 2147483647}, "48 bytes for 2147483647 frames of 8 x 6, 103,079,215,056 expected"),
        ({"NumberOfFrames": -1}, "NumberOfFrames: expected 1 or more, got -1"),
        (
            {"BitsAllocated": 12, "BitsStored": 12},
            "BitsStored: expected 1, or up to 8, 16, 32 or 64 allocated",
        ),
        (
            {"BitsStored": 9, "HighBit": 8},
            "BitsStored: expected 1, or up to 8, 16, 32 or 64 allocated, got 9 of 8",
        ),
        ({"BitsStored": 0}, "BitsStored: expected 1, or up to 8"),
        ({"HighBit": 3}, "HighBit: expected BitsStored - 1, got 3"),
        (
            {"SamplesPerPixel": 3, "PlanarConfiguration": 0},
            "SamplesPerPixel: expected what MONOCHROME2 needs, got 3",
        ),
        (
            {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 7},
            "expected 0 or 1",
        ),
        (
            {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"},
            "PlanarConfiguration: expected a whole number, got none",
        ),
        ({"PhotometricInterpretation": "HSV"}, "expected photometric interpretation MONOCHROME1, .*got HSV"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "Descriptor: expected three numbers, got 0"),
        ({"RescaleSlope": 0, "RescaleIntercept": 1}, "RescaleSlope: expected a number other than 0, got 0"),
        (
            {"WindowCenter": 5, "WindowWidth": 0},
            "WindowWidth of a LINEAR window: expected 1 or more, got 0.0",
        ),
        (
            {"WindowCenter": 5, "WindowWidth": 9, "VOILUTFunction": "CUBIC"},
            "VOILUTFunction: expected LINEAR, LINEAR_EXACT, SIGMOID, got CUBIC",
        ),
    ],
)
def test_headers_that_make_no_sense(tmp_path, elements, message):
    data = picture(**elements)
    with pytest.raises(DataError, match=message) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    path = tmp_path / "x.dcm"
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"x\.dcm"):
        read(path)


def test_a_picture_that_is_too_large_is_refused_before_it_is_unpacked():
    data = picture(Rows=9000, Columns=9000, pixels=bytes(81_000_000))
    tracemalloc.start()
    with pytest.raises(DataError, match="at most 1,000,000 pixels, got 9,000 x 9,000"):
        read_dicom(data, max_pixels=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 100_000_000  # one copy of the bytes, none of the pixels
    tracemalloc.stop()


def test_a_deflated_bomb_unpacks_no_further_than_it_must():
    length = 2_000_000_000
    private = b"\x77\x77\x01\x10OB\0\0" + struct.pack("<I", length)
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    whole = picture(syntax=DeflatedExplicitVRLittleEndian)
    at = 132 + 12 + struct.unpack_from("<I", whole, 140)[0]
    packed = engine.compress(private)
    zeros = bytes(1_000_000)
    packed += b"".join(engine.compress(zeros) for _ in range(200)) + engine.flush()
    tracemalloc.start()
    with pytest.raises(DataError, match=r"damaged|holds no image"):
        read_dicom(whole[:at] + packed, max_pixels=1000)
    assert tracemalloc.get_traced_memory()[1] < 80_000_000
    tracemalloc.stop()
    np.testing.assert_array_equal(read(whole).image, np.zeros((6, 8, 1)))
    with pytest.raises(DataError, match="damaged"):
        read(whole[:-30])


@pytest.mark.parametrize("syntax", [JPEGBaseline8Bit, JPEG2000Lossless])
def test_a_codestream_of_another_size_never_reaches_a_decoder(monkeypatch, syntax):
    name = {JPEGBaseline8Bit: "SC_rgb_small_odd_jpeg.dcm", JPEG2000Lossless: "MR_small_jp2klossless.dcm"}[
        syntax
    ]
    data = bytearray((FILES / name).read_bytes())
    if syntax == JPEGBaseline8Bit:
        at = data.index(b"\xff\xc0") + 5
        data[at : at + 4] = struct.pack(">HH", 60000, 60000)
    else:
        at = data.index(b"\xff\x4f\xff\x51") + 8
        data[at : at + 8] = struct.pack(">II", 60000, 60000)
    monkeypatch.setattr(toolkit, "decode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(
        DataError, match=r"got 60000 x 60000 pixels of [13] samples in frame 0, .* in the header"
    ):
        read(bytes(data))


def test_a_cut_codestream_is_told_by_its_missing_end():
    data = bytearray((FILES / "MR_small_jpeg_ls_lossless.dcm").read_bytes())
    at = data.rindex(b"\xff\xd9")
    data[at : at + 2] = b"\0\0"
    with pytest.raises(DataError, match="got frame 0 without its end marker"):
        read(bytes(data))


def test_frames_that_are_missing_or_empty():
    data = picture(encapsulate([b"\0\0"]), RLELossless)
    with pytest.raises(DataError, match="expected a readable frame 0, got RuntimeError"):
        read(data)
    two = picture(encapsulate([b"ab", b"cd"]), RLELossless, NumberOfFrames=5)
    assert frames(two) == 5
    with pytest.raises(DataError, match="expected a readable frame 4, got"):
        read_dicom(two, frame=4)
    with pytest.raises(DataError, match="PixelData: expected encapsulated frames, got native pixels"):
        read(picture().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0"))


def test_a_palette_that_unfolds_without_end_stops_at_its_size():
    run = b"\1\xff\x09"  # a linear segment of 255 entries
    loop = bytes([0, 2, 1, 2]) + run + bytes([2, 255, 4, 0, 0, 0])
    shape = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in ("Red", "Green", "Blue")}
    tables = {
        f"Segmented{name}PaletteColorLookupTableData": loop + b"\0" * (len(loop) % 2)
        for name in ("Red", "Green", "Blue")
    }
    image = read(picture(PhotometricInterpretation="PALETTE COLOR", **shape, **tables)).image
    assert image.shape == (6, 8, 3)
    wrong = dict.fromkeys(tables, b"\7\7\7\7")
    with pytest.raises(DataError, match=r"segments of 256 entries, got segment type 7 after 0 entries"):
        read(picture(PhotometricInterpretation="PALETTE COLOR", **shape, **wrong))


def test_sequences_nested_without_end():
    start = picture()
    at = 132 + 12 + struct.unpack_from("<I", start, 140)[0]
    nest = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000
    with pytest.raises(DataError, match="image bytes"):
        read(start[:at] + nest)


def test_a_link_to_pixels_elsewhere_is_not_followed():
    ds = pydicom.dcmread(io.BytesIO(picture()))
    del ds.PixelData
    ds.PixelDataProviderURL = "http://example.org/pixels"
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    with pytest.raises(
        DataError, match=r"holds no image: .* a link to pixels elsewhere, which is not followed"
    ):
        read(stream.getvalue())


def test_what_the_file_says_of_people_is_not_in_the_message():
    data = picture(WindowCenter="12345678", WindowWidth="7654321")
    for place, name in ((b"12345678", b"Nguyen A"), (b"7654321 ", b"Nguyen B")):
        with pytest.raises(DataError, match="expected a readable Window") as caught:
            read(data.replace(place, name))
        assert "Nguyen" not in str(caught.value)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(toolkit, "plugins", lambda _: ())
    for name, package in (
        ("MR_small_jp2klossless.dcm", "pylibjpeg-openjpeg"),
        ("MR_small_jpeg_ls_lossless.dcm", "pyjpegls"),
        ("SC_rgb_jpeg_gdcm.dcm", "python-gdcm"),
        ("SC_rgb_jpeg.dcm", "Pillow"),
    ):
        with pytest.raises(MissingExtraError, match=f"{package} is not installed; install it with"):
            read(FILES / name)


def test_without_pydicom_the_error_names_the_extra_and_other_images_still_read():
    code = (
        "import sys\n"
        "import vnvision.imaging, vnvision.imaging.dicom\n"
        "assert 'pydicom' not in sys.modules, 'imaging loads pydicom'\n"
        "sys.modules['pydicom'] = None\n"
        "from vnvision.errors import MissingExtraError\n"
        "try:\n"
        f"    vnvision.imaging.read({str(FILES / 'CT_small.dcm')!r})\n"
        "except MissingExtraError as exc:\n"
        "    assert str(exc).startswith('pydicom is not installed; install it with: pip install'), exc\n"
        "    assert 'vnvision[clinic]' in str(exc), exc\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def mutated(data: bytes, chance: random.Random) -> bytes:
    out = bytearray(data)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(min(len(out), chance.choice((400, 2000, len(out)))) or 1)
        kind = chance.randrange(6)
        if kind == 0:
            out[at : at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            out[at : at + 4] = chance.choice((b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\1\0\0\0"))
        elif kind == 2:
            del out[at : at + chance.randint(1, 40)]
        elif kind == 3:
            out[at:at] = out[: chance.randint(1, 60)]
        elif kind == 4:
            out[at : at + 2] = chance.choice((b"SQ", b"UN", b"OB", b"\x28\0", b"\xfe\xff", b"DS"))
        else:
            del out[at + len(out) // 2 :]
    return bytes(out)


def test_only_data_errors_come_out_of_damaged_files():
    names = (
        "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "rtdose_rle.dcm",
        "MR_small_expb.dcm", "SC_rgb_small_odd_jpeg.dcm", "SC_rgb_jls_lossy_line.dcm", "rtdose.dcm",
        "MR_small_implicit.dcm", "image_dfl.dcm", "SC_ybr_full_422_uncompressed.dcm",
    )  # fmt: skip
    sound, chance = [(FILES / name).read_bytes() for name in names], random.Random(4)
    read_well = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(600):
            data = mutated(sound[number % len(sound)], chance)
            image, problem = None, ""
            try:
                image = read(data, max_pixels=1_000_000).image
            except DataError as exc:
                problem = str(exc)
            assert "\n" not in problem
            if image is not None:
                read_well += 1
                assert image.ndim == 3
                assert image.dtype in (np.uint8, np.uint16)
    assert 20 < read_well < 580
