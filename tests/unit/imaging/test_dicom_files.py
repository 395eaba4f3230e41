"""Every file that pydicom ships for its own tests: equal to pydicom's pipeline, or one clear error."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi_lut, pixel_array

from vnvision.errors import DataError
from vnvision.imaging import read
from vnvision.imaging.dicom import frames, read_dicom, read_frames

ROOT = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = sorted(path for path in ROOT.rglob("*") if path.is_file())
TEXT = (".txt", ".json", ".dump", ".icc", ".gz")
# Files with pixels that must not come out as a picture, and the words that say why.
BROKEN = {
    "JPEG-lossy.dcm": "JPEG Extended with 8 bits a sample, got 12 bits, which no codec here reads",
    "JPGExtended.dcm": "JPEG Extended with 8 bits a sample, got 12 bits, which no codec here reads",
    "JPEG2000-embedded-sequence-delimiter.dcm": "3722445056 x 1024 pixels of 1 samples in frame 0",
    "MR_truncated.dcm": "the end of the file inside frame 0",
    "badVR.dcm": "expected a readable NumberOfFrames",
    # A few elements and a stub of pixel data: no size is stated.
    "meta_missing_tsyntax.dcm": "Rows: expected a whole number, got none",
    "nested_priv_SQ.dcm": "Rows: expected a whole number, got none",
    # A fragment that does not begin with a whole element.
    "no_meta.dcm": "is not a DICOM file",
    # Ends in the middle of its header.
    "rtplan_truncated.dcm": "the end of the file inside the header",
}


def dataset(path: Path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pydicom.dcmread(path, force=True)


def expected_display(ds, modality: np.ndarray, voi: np.ndarray) -> np.ndarray:
    """The share of the display range by pydicom's own numbers; PS3.3 C.11.2.1.2 for the ends."""
    bits = int(ds.BitsStored)
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if ds.PixelRepresentation else (0, 2**bits - 1)
    if "RescaleSlope" in ds:
        low, high = (end * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for end in (low, high))
    share = (voi.astype(np.float64) - low) / (high - low)
    return 1 - share if ds.PhotometricInterpretation == "MONOCHROME1" else share


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_reads_as_pydicom_reads_it_or_says_why_not(path, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            samples = list(read_frames(path))
        except DataError as exc:
            samples, problem = [], str(exc)
            assert str(path) in problem
            assert "\n" not in problem
    assert capfd.readouterr() == ("", "")  # neither pydicom nor a codec writes on the screen
    if path.name in BROKEN:
        assert BROKEN[path.name] in problem
        return
    ds = dataset(path)
    if not any(name in ds for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        assert "holds no image" in problem or (path.suffix in TEXT or "README" in path.name)
        return
    assert len(samples) == int(ds.get("NumberOfFrames") or 1) == frames(path)
    check_equal(path, ds, samples)


def check_equal(path: Path, ds, samples: list) -> None:
    for index, sample in enumerate(samples):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            truth = pixel_array(ds, index=index)
        assert sample.meta["frame"] == index
        assert "PatientID" not in str(sample.meta)
        assert str(ds.get("PatientID") or "-no-id-") not in str({**sample.meta, "frame": 0})
        if ds.PhotometricInterpretation == "PALETTE COLOR":
            palette = apply_color_lut(truth, ds)
            np.testing.assert_array_equal(sample.image, palette)
            assert sample.image.dtype == palette.dtype
        elif ds.SamplesPerPixel == 3:
            if ds.BitsStored == 32:
                truth = np.rint(truth * (65535 / (2**32 - 1))).astype(np.uint16)
            np.testing.assert_array_equal(sample.image, truth)
            assert sample.image.dtype == truth.dtype
        else:
            check_grey(path, ds, sample, truth, index)


def check_grey(path: Path, ds, sample, truth: np.ndarray, index: int) -> None:
    modality = apply_modality_lut(truth, ds)
    measured = read_dicom(path, frame=index, voi="none").image
    assert measured.dtype == np.float32
    np.testing.assert_array_equal(measured[..., 0], modality.astype(np.float32))
    share = expected_display(ds, modality, apply_voi_lut(modality, ds))
    top = np.iinfo(sample.image.dtype).max
    picture = np.rint(share * top)
    if "PixelPaddingValue" in ds:
        picture[truth == ds.PixelPaddingValue] = 0
    off = np.abs(sample.image[..., 0].astype(np.float64) - picture)
    assert off.max() <= 1  # pydicom goes through the range of the modality's values: another last bit
    assert (off > 0).mean() < 0.001


def test_the_set_is_whole_and_covers_the_codecs():
    outcomes, syntaxes = {"read": 0, "no image": 0, "no DICOM": 0, "broken": 0}, set()
    for path in FILES:
        try:
            syntaxes.add(read_dicom(path).meta["transfer_syntax"])
            outcomes["read"] += 1
        except DataError as exc:
            kind = "no DICOM" if "not a DICOM file" in str(exc) else "broken"
            outcomes["no image" if "holds no image" in str(exc) else kind] += 1
    assert outcomes["read"] >= 85
    assert outcomes["broken"] == len(BROKEN) - 1
    assert sum(outcomes.values()) == len(FILES)
    assert len(syntaxes) >= 11


def test_read_takes_dicom_too():
    path = ROOT / "CT_small.dcm"
    by_path, by_bytes = read(path), read(path.read_bytes())
    np.testing.assert_array_equal(by_path.image, read_dicom(path).image)
    np.testing.assert_array_equal(by_bytes.image, by_path.image)
    assert by_path.source == str(path)
    assert by_bytes.source is None
    assert by_path.meta["format"] == "DICOM"
    assert by_path.spacing_mm == (0.661468, 0.661468)
    assert by_path.group_id is None
    with pytest.raises(DataError, match="expected at most 1,000 pixels, got 128 x 128"):
        read(path, max_pixels=1000)
