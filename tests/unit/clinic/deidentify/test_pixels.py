"""Native pixels: the same values, nothing behind them, nothing in their unused bits; rectangles to blank."""

import numpy as np
import pydicom
import pytest
from raw_dicom import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, Raw

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.errors import DataError

PIXELS = (np.arange(48 * 64).reshape(48, 64) % 4096).astype("u2")


def run(tmp_path, data, key, options=None):
    (tmp_path / "in.dcm").write_bytes(data)
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", options or Options(), key)
    return done, pydicom.dcmread(tmp_path / "out" / done.file)


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_pixels_and_syntax_stay(tmp_path, key, syntax):
    raw = Raw(syntax)
    _, made = run(tmp_path, raw.file(raw.image(PIXELS)), key)
    assert np.array_equal(made.pixel_array, PIXELS)
    assert made.file_meta.TransferSyntaxUID == syntax


def test_an_overlay_in_the_unused_bits_is_cleared(tmp_path, key):
    drawn = PIXELS | ((PIXELS % 7 == 0).astype("u2") << 12)
    raw = Raw()
    done, made = run(tmp_path, raw.file(raw.image(drawn)), key)
    assert "bits-outside-stored-cleared" in done.warnings
    assert np.array_equal(np.frombuffer(made.PixelData, "<u2").reshape(PIXELS.shape), PIXELS)


def test_the_sign_of_signed_pixels_is_kept(tmp_path, key):
    signed = PIXELS.astype("i4") - 2048
    raw = Raw()
    elements = raw.image(signed.astype("<i2").view("<u2")) | {0x00280103: raw.number(0x00280103, 1)}
    done, made = run(tmp_path, raw.file(elements), key)
    assert np.array_equal(made.pixel_array, signed)
    assert done.warnings == ()
    spoilt = signed.astype("<i2").view("<u2").copy()
    spoilt[0, 0] ^= 0x5000
    elements = raw.image(spoilt) | {0x00280103: raw.number(0x00280103, 1)}
    (tmp_path / "again").mkdir()
    done, made = run(tmp_path / "again", raw.file(elements), key)
    assert "bits-outside-stored-cleared" in done.warnings
    assert np.array_equal(np.frombuffer(made.PixelData, "<i2").reshape(signed.shape), signed)


def test_bytes_behind_the_last_pixel_are_cut(tmp_path, key):
    raw = Raw()
    elements = raw.image(PIXELS)
    elements[0x7FE00010] = raw.element(0x7FE00010, "OW", PIXELS.tobytes() + b"behind")
    done, made = run(tmp_path, raw.file(elements), key)
    assert "bytes-behind-pixels-cut" in done.warnings
    assert made.PixelData == PIXELS.tobytes()


def test_pixels_cut_short_are_a_data_error(tmp_path, key):
    raw = Raw()
    elements = raw.image(PIXELS)
    elements[0x7FE00010] = raw.element(0x7FE00010, "OW", PIXELS.tobytes()[:-2])
    with pytest.raises(DataError, match=r"the pixel data are cut short: expected 6,144 bytes, got 6,142"):
        run(tmp_path, raw.file(elements), key)


@pytest.mark.parametrize("syntax", [EXPLICIT, BIG_ENDIAN])
def test_rectangles_are_blanked_and_nothing_else(tmp_path, key, syntax):
    raw = Raw(syntax)
    done, made = run(
        tmp_path, raw.file(raw.image(PIXELS)), key, Options(blank_px=((10, 4, 20, 8), (60, 40, 99, 99)))
    )
    expected = PIXELS.copy()
    expected[4:12, 10:30] = 0
    expected[40:, 60:] = 0
    assert np.array_equal(made.pixel_array, expected)
    assert "blanked-not-checked" in done.warnings
    codes = [item.CodeValue for item in made.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113101"]
    assert made.BurnedInAnnotation == "NO"


def test_black_is_what_is_shown_black(tmp_path, key):
    raw = Raw()
    elements = raw.image(PIXELS) | {0x00280004: raw.text(0x00280004, "CS", "MONOCHROME1")}
    _, made = run(tmp_path, raw.file(elements), key, Options(blank_px=((0, 0, 5, 5),)))
    assert (made.pixel_array[:5, :5] == 4095).all()
    elements = raw.image((PIXELS.astype("i4") - 2048).astype("<i2").view("<u2"))
    elements |= {0x00280103: raw.number(0x00280103, 1)}
    (tmp_path / "signed").mkdir()
    _, made = run(tmp_path / "signed", raw.file(elements), key, Options(blank_px=((0, 0, 5, 5),)))
    assert (made.pixel_array[:5, :5] == -2048).all()


def test_blanking_a_compressed_picture_unpacks_it(tmp_path, key):
    source = pydicom.dcmread(pydicom.data.get_testdata_file("SC_rgb_rle_2frame.dcm"))
    source.save_as(tmp_path / "in.dcm")
    done = deidentify_file(tmp_path / "in.dcm", tmp_path / "out", Options(blank_px=((5, 6, 30, 20),)), key)
    made = pydicom.dcmread(tmp_path / "out" / done.file)
    expected = source.pixel_array.copy()
    expected[:, 6:26, 5:35] = 0
    assert made.file_meta.TransferSyntaxUID == EXPLICIT
    assert np.array_equal(made.pixel_array, expected)


@pytest.mark.parametrize(
    ("box", "text"),
    [
        (
            (64, 0, 5, 5),
            "a rectangle to blank lies outside the image: expected inside 64 x 48 pixels, got 64,0,5,5",
        ),
        ((0, 0, 0, 5), "a rectangle to blank is empty: expected x,y,width,height in pixels, got 0,0,0,5"),
    ],
)
def test_rectangles_that_miss(tmp_path, key, box, text):
    from vnvision.errors import VnvisionError

    raw = Raw()
    with pytest.raises(VnvisionError, match=text):
        run(tmp_path, raw.file(raw.image(PIXELS)), key, Options(blank_px=(box,)))
