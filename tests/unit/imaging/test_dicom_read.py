"""Branches of DICOM that pydicom's files do not hold, in data sets written here; truth by the formulas."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import jpeg_ls
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate_extended
from pydicom.pixels import apply_color_lut, convert_color_space
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from vnvision.errors import ConfigError, DataError
from vnvision.imaging import read
from vnvision.imaging.dicom import frames, read_dicom, read_frames

NATIVE = (ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian)


def item(**elements) -> Dataset:
    found = Dataset()
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found


def written(ds: Dataset, syntax=ExplicitVRLittleEndian) -> bytes:
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def built(pixels: np.ndarray, stored: int | None = None, **elements) -> Dataset:
    """A data set of (H, W), (N, H, W) with ``NumberOfFrames``, or (H, W, 3) levels; not yet a file."""
    colour = pixels.ndim > 2 and pixels.shape[-1] == 3
    rows, columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    size = pixels.dtype.itemsize * 8
    found = item(
        SOPClassUID="1.2.840.10008.5.1.4.1.1.7", SOPInstanceUID="1.2.3.4", PatientID="DO NOT TELL",
        Rows=rows, Columns=columns, SamplesPerPixel=3 if colour else 1,
        PhotometricInterpretation="RGB" if colour else "MONOCHROME2", BitsAllocated=size,
        BitsStored=stored or size, HighBit=(stored or size) - 1,
        PixelRepresentation=int(pixels.dtype.kind == "i"),
    )  # fmt: skip
    if colour:
        found.PlanarConfiguration = 0
    for keyword, value in elements.items():
        setattr(found, keyword, value)
    return found


def native(pixels: np.ndarray, stored: int | None = None, syntax=ExplicitVRLittleEndian, **elements) -> bytes:
    ds = built(pixels, stored, **elements)
    order = ">" if syntax == ExplicitVRBigEndian else "<"
    raw = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    if order == ">" and pixels.dtype.itemsize == 1 and len(raw) % 2:
        raw += b"\0"
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OB" if pixels.dtype.itemsize == 1 else "OW"
    return written(ds, syntax)


def levels(seed: int, *shape: int, bits: int = 12, dtype=np.uint16) -> np.ndarray:
    low = -(1 << bits - 1) if np.dtype(dtype).kind == "i" else 0
    return np.random.default_rng(seed).integers(low, low + (1 << bits), shape).astype(dtype)


def grey(data: bytes, **options) -> np.ndarray:
    image = read_dicom(data, **options).image
    assert image.shape[2] == 1
    return image[..., 0]


def linear(x, centre, width):
    """PS3.3 C.11.2.1.2.1, value by value."""
    if x <= centre - 0.5 - (width - 1) / 2:
        return 0.0
    if x > centre - 0.5 + (width - 1) / 2:
        return 1.0
    return (x - (centre - 0.5)) / (width - 1) + 0.5


def as_levels(share, top: int = 65535) -> np.ndarray:
    return np.rint(np.asarray(share) * top)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize(
    ("dtype", "bits"), [(np.uint8, 8), (np.uint16, 12), (np.int16, 16), (np.uint32, 32), (np.int16, 10)]
)
def test_stored_values_come_back_in_every_native_syntax(syntax, dtype, bits):
    pixels = levels(1, 5, 7, bits=bits, dtype=dtype)
    data = native(pixels, bits, syntax)
    np.testing.assert_array_equal(grey(data, voi="none"), pixels.astype(np.float32))
    low, span = (-(1 << bits - 1) if np.dtype(dtype).kind == "i" else 0), (1 << bits) - 1
    shown = grey(data)
    assert shown.dtype == (np.uint8 if bits <= 8 else np.uint16)
    top = np.iinfo(shown.dtype).max
    np.testing.assert_array_equal(shown, as_levels((pixels.astype(float) - low) / span, top))


def test_unused_high_bits_do_not_count_and_an_old_high_bit_is_followed():
    pixels = levels(2, 4, 6, bits=10)
    dirty = pixels | 0xF000  # an overlay may lie there
    np.testing.assert_array_equal(grey(native(dirty, 10), voi="none"), pixels)
    shifted = (pixels << 6).astype(np.uint16)
    np.testing.assert_array_equal(grey(native(shifted, 10, HighBit=15), voi="none"), pixels)


def test_one_bit_becomes_black_and_white_also_in_frames_that_share_a_byte():
    bits = np.random.default_rng(3).integers(0, 2, (3, 3, 5)).astype(np.uint8)
    ds = built(bits, 1, NumberOfFrames=3, BitsAllocated=1)
    ds.PixelData = np.packbits(bits.reshape(-1), bitorder="little").tobytes()
    ds["PixelData"].VR = "OB"
    data = written(ds)
    for index in range(3):
        image = grey(data, frame=index)
        assert image.dtype == np.uint8
        np.testing.assert_array_equal(image, bits[index] * 255)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "<f4"), ("DoubleFloatPixelData", "<f8")])
def test_floating_point_pixels(keyword, dtype):
    values = np.random.default_rng(4).normal(0, 50, (6, 5)).astype(dtype)
    ds = built(values.astype(np.uint16), BitsAllocated=values.dtype.itemsize * 8)
    del ds.BitsStored, ds.HighBit, ds.PixelRepresentation
    setattr(ds, keyword, values.tobytes())
    data = written(ds)
    np.testing.assert_array_equal(grey(data, voi="none"), values.astype(np.float32))
    with pytest.raises(DataError, match=r"holds floating point values and no window.*give voi=\(centre"):
        read_dicom(data)
    shown = grey(data, voi=(0, 101))
    np.testing.assert_array_equal(shown, as_levels([[linear(x, 0, 101) for x in row] for row in values]))


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID", None])
def test_window_functions(function):
    pixels = levels(5, 9, 8, bits=12, dtype=np.int16)
    extra = {"VOILUTFunction": function} if function else {}
    data = native(
        pixels, 12, WindowCenter=[40.5, 300], WindowWidth=[400, 1500], RescaleSlope=0.5,
        RescaleIntercept=-24, Modality="CT", **extra,
    )  # fmt: skip
    modality = pixels * 0.5 - 24
    ways = {
        "LINEAR": linear,
        "LINEAR_EXACT": lambda x, c, w: min(max((x - c) / w + 0.5, 0.0), 1.0),
        "SIGMOID": lambda x, c, w: 1 / (1 + np.exp(-4 * (x - c) / w)),
    }
    way = ways[function or "LINEAR"]
    for index, (centre, width) in enumerate([(40.5, 400), (300, 1500)]):
        sample = read_dicom(data, voi_index=index)
        truth = as_levels([[way(x, centre, width) for x in row] for row in modality])
        np.testing.assert_array_equal(sample.image[..., 0], truth)
        assert sample.meta["voi"] == {"kind": function or "LINEAR", "centre": centre, "width": width}
        assert sample.meta["units"] == "HU"
    with pytest.raises(DataError, match="image bytes has no view 2: expected voi_index below 2"):
        read_dicom(data, voi_index=2)
    mine = as_levels([[linear(x, 0, 80) for x in row] for row in modality])
    np.testing.assert_array_equal(grey(data, voi=(0, 80)), mine)
    np.testing.assert_array_equal(grey(data, voi="none"), modality.astype(np.float32))


def test_monochrome1_is_turned_round_when_shown_and_not_when_measured():
    pixels = levels(6, 6, 6, bits=12)
    plain = native(pixels, 12, WindowCenter=2000, WindowWidth=1000)
    turned = native(pixels, 12, WindowCenter=2000, WindowWidth=1000, PhotometricInterpretation="MONOCHROME1")
    off = grey(turned).astype(int) + grey(plain) - 65535
    assert np.abs(off).max() <= 1  # a value half way between two levels
    np.testing.assert_array_equal(grey(turned, voi="none"), pixels)
    small = levels(6, 6, 6, bits=8, dtype=np.uint8)
    np.testing.assert_array_equal(grey(native(small, PhotometricInterpretation="MONOCHROME1")), 255 - small)


def lut(entries, first: int, bits: int, vr: str = "US") -> Dataset:
    found = Dataset()
    found.add_new("LUTDescriptor", "SS" if first < 0 else "US", [len(entries) % 65536, first, bits])
    if vr == "OW":
        found.add_new("LUTData", "OW", np.asarray(entries, "<u2").tobytes())
    else:
        found.add_new("LUTData", "US", [int(entry) for entry in entries])
    return found


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("vr", ["US", "OW"])
def test_modality_and_voi_tables(vr, syntax):
    pixels = levels(7, 8, 8, bits=12)
    first = np.arange(100) * 7 % 1000
    second = (np.arange(300) * 211) % 4096
    data = native(
        pixels % 200, 12, syntax, ModalityLUTSequence=[lut(first, 50, 10, vr)],
        VOILUTSequence=[lut(second, 500, 12, vr), lut(second[::-1], 400, 12, vr)],
        WindowCenter=500, WindowWidth=100,
    )  # fmt: skip
    modality = first[np.clip((pixels % 200).astype(int) - 50, 0, 99)]
    np.testing.assert_array_equal(grey(data, voi="none"), modality)
    shown = as_levels(second[np.clip(modality - 500, 0, 299)] / 4095)
    np.testing.assert_array_equal(grey(data), shown)
    assert read_dicom(data).meta["voi"] == {"kind": "LUT"}
    other = as_levels(second[::-1][np.clip(modality - 400, 0, 299)] / 4095)
    np.testing.assert_array_equal(grey(data, voi_index=1), other)
    windowed = as_levels([[linear(x, 500, 100) for x in row] for row in modality])
    np.testing.assert_array_equal(grey(data, voi_index=2), windowed)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_a_table_may_begin_below_zero(syntax):
    pixels = levels(8, 8, 8, bits=8, dtype=np.int16)
    entries = np.arange(256) ** 2 % 1024
    data = native(pixels, 8, syntax, ModalityLUTSequence=[lut(entries, -100, 10)])
    truth = entries[np.clip(pixels.astype(int) + 100, 0, 255)]
    np.testing.assert_array_equal(grey(data, voi="none"), truth)


def test_a_short_table_is_an_error():
    data = native(levels(7, 4, 4), 12, VOILUTSequence=[lut(np.arange(10), 0, 12)])
    at = data.index(b"\x28\x00\x02\x30US\x06\x00") + 8
    data = data[:at] + (20).to_bytes(2, "little") + data[at + 2 :]
    with pytest.raises(DataError, match="image bytes: LUTData: expected 20 entries, got 10"):
        read_dicom(data)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
def test_padding_is_black_also_where_black_is_the_highest_value(syntax):
    pixels = levels(9, 8, 8, bits=12, dtype=np.int16)
    pixels[0], pixels[1, :4] = -2000, -1990
    for kind in ("MONOCHROME1", "MONOCHROME2"):
        ds = built(pixels, 16, PhotometricInterpretation=kind)
        ds.add_new("PixelPaddingValue", "SS", -2000)
        ds.add_new("PixelPaddingRangeLimit", "SS", -1985)
        ds.PixelData = pixels.tobytes()
        data = written(ds, syntax)
        shown = grey(data)
        padded = (pixels >= -2000) & (pixels <= -1985)
        assert padded.sum() >= 12
        assert (shown[padded] == 0).all()
        share = (pixels + 32768.0) / 65535
        share = 1 - share if kind == "MONOCHROME1" else share
        np.testing.assert_array_equal(shown[~padded], as_levels(share)[~padded])
        measured = read_dicom(data, voi="none")
        np.testing.assert_array_equal(measured.image[..., 0], pixels)
        assert measured.meta["padding"] == (-2000.0, -1985.0)


def palette(entries: np.ndarray, bits: int, first: int = 0) -> dict:
    raw = entries.astype("<u2" if bits == 16 else np.uint8)
    return {
        "PhotometricInterpretation": "PALETTE COLOR",
        **{
            f"{name}PaletteColorLookupTableDescriptor": [len(entries) % 65536, first, bits]
            for name in ("Red", "Green", "Blue")
        },
        **{
            f"{name}PaletteColorLookupTableData": raw[:, i].tobytes()
            for i, name in enumerate(("Red", "Green", "Blue"))
        },
    }


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("first", [0, 20])
def test_palettes(bits, first, syntax):
    pixels = levels(10, 9, 7, bits=8, dtype=np.uint8)
    entries = np.random.default_rng(11).integers(0, 1 << bits, (128, 3))
    data = native(pixels, 8, syntax, **palette(entries, bits, first))
    image = read_dicom(data).image
    assert image.dtype == (np.uint16 if bits == 16 else np.uint8)
    np.testing.assert_array_equal(image, entries[np.clip(pixels.astype(int) - first, 0, 127)])
    np.testing.assert_array_equal(image, read_dicom(data, voi="none").image)
    with pytest.raises(DataError, match=r"is a colour image: expected voi='header' or 'none', got a window"):
        read_dicom(data, voi=(40, 80))


@pytest.mark.parametrize("bits", [8, 16])
def test_segmented_palettes(bits):
    pixels = levels(12, 9, 7, bits=8, dtype=np.uint8)
    step = 1 if bits == 8 else 200
    segments = [0, 3, 0, 7 * step, 9 * step, 1, 60, 100 * step, 0, 2, 5 * step, 6 * step, 1, 191, 250 * step]
    raw = np.array(segments, np.uint8 if bits == 8 else "<u2").tobytes()
    entries = {f"Segmented{name}PaletteColorLookupTableData": raw for name in ("Red", "Green", "Blue")}
    shape = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, bits] for name in ("Red", "Green", "Blue")}
    data = native(pixels, 8, PhotometricInterpretation="PALETTE COLOR", **shape, **entries)
    truth = apply_color_lut(pixels, pydicom.dcmread(io.BytesIO(data)))
    np.testing.assert_array_equal(read_dicom(data).image, truth)


def test_an_indirect_segment_repeats_what_stands_at_its_byte_offset():
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    # A discrete and a linear segment (bytes 0 to 8), then both again, then a discrete one.
    segments = [0, 2, 10, 20, 1, 100, 220, 2, 2, 0, 0, 0, 0, 0, 52, *range(52)]
    raw = bytes(segments) + b"\0" * (len(segments) % 2)
    entries = {f"Segmented{name}PaletteColorLookupTableData": raw for name in ("Red", "Green", "Blue")}
    shape = {f"{name}PaletteColorLookupTableDescriptor": [256, 0, 8] for name in ("Red", "Green", "Blue")}
    data = native(pixels, 8, PhotometricInterpretation="PALETTE COLOR", **shape, **entries)
    once = [10, 20, *(20 + 2 * i for i in range(1, 101))]
    assert read_dicom(data).image[..., 0].reshape(-1).tolist() == [*once, *once, *range(52)]


@pytest.mark.parametrize("planar", [0, 1])
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 16), (np.uint16, 12)])
def test_rgb_and_its_two_layouts(planar, dtype, bits):
    pixels = levels(13, 6, 5, 3, bits=bits, dtype=dtype)
    ds = built(pixels, bits, PlanarConfiguration=planar)
    raw = (pixels if planar == 0 else pixels.transpose(2, 0, 1)).tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    image = read_dicom(written(ds)).image
    assert image.dtype == dtype
    np.testing.assert_array_equal(image, as_levels(pixels / ((1 << bits) - 1), np.iinfo(dtype).max))


def test_ybr_of_8_and_of_16_bits():
    pixels = levels(14, 16, 16, 3, bits=8, dtype=np.uint8)
    image = read_dicom(native(pixels, PhotometricInterpretation="YBR_FULL")).image
    np.testing.assert_array_equal(image, convert_color_space(pixels, "YBR_FULL", "RGB"))
    wide = levels(15, 8, 8, 3, bits=16)
    y, cb, cr = (wide[..., i].astype(float) - (0 if i == 0 else 32768) for i in range(3))
    red, blue = y + 1.402 * cr, y + 1.772 * cb
    green = (y - 0.299 * red - 0.114 * blue) / 0.587  # from the definition of Y (ITU-T T.871)
    truth = np.clip(np.stack([red, green, blue], -1), 0, 65535)
    image = read_dicom(native(wide, PhotometricInterpretation="YBR_FULL")).image
    assert np.abs(image - truth).max() <= 0.51


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
@pytest.mark.parametrize(("dtype", "bits"), [(np.uint8, 8), (np.uint16, 12), (np.int16, 16)])
def test_lossless_codecs_give_back_every_frame(syntax, dtype, bits):
    pixels = levels(16, 3, 32, 40, bits=bits, dtype=dtype)
    ds = built(pixels, bits, NumberOfFrames=3)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.PixelData = pixels.tobytes()
    ds.compress(syntax, arr=pixels, generate_instance_uid=False)
    data = written(ds, syntax)
    assert frames(data) == 3
    for index in (2, 0, 1):
        np.testing.assert_array_equal(grey(data, frame=index, voi="none"), pixels[index].astype(np.float32))


def test_the_extended_offset_table_finds_a_frame():
    pixels = levels(22, 4, 16, 20, bits=8, dtype=np.uint8)
    ds = built(pixels, NumberOfFrames=4)
    streams = [bytes(jpeg_ls.encode_array(frame)) for frame in pixels]
    ds.PixelData, ds.ExtendedOffsetTable, ds.ExtendedOffsetTableLengths = encapsulate_extended(streams)
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    data = written(ds, JPEGLSLossless)
    for index in (3, 0, 2):
        np.testing.assert_array_equal(grey(data, frame=index), pixels[index])


def test_frames_one_by_one_and_only_those_wanted(monkeypatch):
    pixels = levels(17, 7, 6, 5)
    data = native(pixels, 12, NumberOfFrames=7)
    assert [sample.meta["frame"] for sample in read_frames(data, every=3)] == [0, 3, 6]
    for index, sample in enumerate(read_frames(data, voi="none")):
        np.testing.assert_array_equal(sample.image[..., 0], pixels[index])
        assert sample.meta["frames"] == 7
    from vnvision.imaging.dicom import toolkit

    seen = []
    whole = toolkit.decode
    monkeypatch.setattr(toolkit, "decode", lambda *args: seen.append(args[4]) or whole(*args))
    list(read_frames(data, every=4))
    assert seen == [0, 4]
    with pytest.raises(DataError, match="image bytes has no frame 7: expected frame below 7"):
        read_dicom(data, frame=7)
    with pytest.raises(ConfigError, match="every: expected 1 or more, got 0"):
        read_frames(data, every=0)


def test_functional_groups_of_a_frame_go_before_the_shared_ones():
    pixels = levels(18, 2, 6, 5)

    def groups(spacing, slope, centre):
        return item(
            PixelMeasuresSequence=[item(PixelSpacing=spacing)],
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=3, RescaleType="US")],
            FrameVOILUTSequence=[item(WindowCenter=centre, WindowWidth=500)],
        )

    per_frame = [Dataset(), groups([0.4, 0.6], 4, 900)]
    data = native(
        pixels, 12, NumberOfFrames=2, SharedFunctionalGroupsSequence=[groups([0.5, 0.7], 2, 700)],
        PerFrameFunctionalGroupsSequence=per_frame, PixelSpacing=[9, 9], WindowCenter=1, WindowWidth=2,
    )  # fmt: skip
    for index, (spacing, slope, centre) in enumerate([((0.5, 0.7), 2, 700), ((0.4, 0.6), 4, 900)]):
        sample = read_dicom(data, frame=index)
        assert sample.spacing_mm == spacing
        assert sample.meta["spacing"] == "PixelSpacing of the frame"
        modality = pixels[index] * float(slope) + 3
        truth = as_levels([[linear(x, centre, 500) for x in row] for row in modality])
        np.testing.assert_array_equal(sample.image[..., 0], truth)
        assert sample.meta["units"] is None  # US: unspecified


def region(across=0.05, down=0.04, **other) -> Dataset:
    return item(
        **{
            "PhysicalUnitsXDirection": 3, "PhysicalUnitsYDirection": 3, "RegionSpatialFormat": 1,
            "PhysicalDeltaX": across, "PhysicalDeltaY": down, **other,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("elements", "spacing", "what"),
    [
        ({"PixelSpacing": [0.5, 0.25]}, (0.5, 0.25), "PixelSpacing"),
        (
            {"PixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.1, 0.1),
            "PixelSpacing, calibrated by geometry",
        ),
        (
            {"ImagerPixelSpacing": [0.14, 0.15]},
            (0.14, 0.15),
            "ImagerPixelSpacing: at the detector, not corrected for magnification",
        ),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2), "ImagerPixelSpacing"),
        ({"NominalScannedPixelSpacing": [0.3, 0.3]}, (0.3, 0.3), "NominalScannedPixelSpacing"),
        ({"SequenceOfUltrasoundRegions": [region()]}, (0.4, 0.5), "ultrasound region calibration"),
        (
            {"SequenceOfUltrasoundRegions": [region(), region(0.1, 0.1)]},
            None,
            "ultrasound regions of different scales",
        ),
        (
            {"SequenceOfUltrasoundRegions": [region(), region(0.1, 9, PhysicalUnitsXDirection=4)]},
            (0.4, 0.5),
            "ultrasound region calibration",
        ),
        ({}, None, None),
    ],
)
def test_spacing(elements, spacing, what):
    sample = read_dicom(native(levels(1, 4, 4), 12, **elements))
    assert sample.spacing_mm == spacing
    assert sample.meta["spacing"] == what or sample.meta["spacing"].startswith(f"{what}:")


@pytest.mark.filterwarnings("ignore:The value length")  # pydicom, of the code that is none
def test_meta_tells_of_the_picture_and_not_of_the_patient():
    data = native(
        levels(1, 4, 4), 12, Modality="DX", ViewPosition="PA", ImageLaterality="L", BodyPartExamined="CHEST",
        PatientName="Nguyen^Van^A", PatientBirthDate="19700101", InstitutionName="Benh vien Trung uong Hue",
        AccessionNumber="A-778", StudyDescription="thay Nguyen Van A",
    )  # fmt: skip
    sample = read(data)
    assert sample.meta == {
        "format": "DICOM", "modality": "DX", "body_part": "CHEST", "view": "PA", "laterality": "L",
        "photometric": "MONOCHROME2", "bits_stored": 12, "frames": 1, "frame": 0, "spacing": None,
        "transfer_syntax": "Explicit VR Little Endian", "units": None,
        "voi": {"kind": "range", "low": 0.0, "high": 4095.0},
    }  # fmt: skip
    assert sample.group_id is None
    free = native(levels(1, 4, 4), 12, Modality="Nguyen Van A, 1970")
    assert read(free).meta["modality"] is None


def test_files_without_preamble_or_meta(tmp_path):
    pixels = levels(19, 6, 5)
    ds = built(pixels, 12)
    ds.PixelData = pixels.tobytes()
    for implicit, little in ((True, True), (False, True), (False, False)):
        stream = io.BytesIO()
        if not little:
            ds.PixelData = pixels.astype(">u2").tobytes()
        pydicom.dcmwrite(stream, ds, implicit_vr=implicit, little_endian=little)
        path = tmp_path / "picture.jpg"
        path.write_bytes(stream.getvalue())
        np.testing.assert_array_equal(read(path).image, read(stream.getvalue()).image)
        np.testing.assert_array_equal(grey(stream.getvalue(), voi="none"), pixels)
    whole = native(pixels, 12)
    np.testing.assert_array_equal(grey(whole[132:], voi="none"), pixels)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"voi": "window"}, r"voi: expected 'header', 'none' or \(centre, width\), got 'window'"),
        ({"voi": (40,)}, "voi: expected 'header', 'none'"),
        ({"voi": (40, float("nan"))}, "voi: expected 'header', 'none'"),
        ({"voi": (40, 0.5)}, "voi: expected a width of 1 or more, got 0.5"),
        ({"voi_index": -1}, "voi_index: expected 0 or more, got -1"),
        ({"frame": -1}, "frame: expected 0 or more, got -1"),
        ({"frame": True}, "frame: expected 0 or more, got True"),
    ],
)
def test_wrong_requests(options, message):
    with pytest.raises(ConfigError, match=message):
        read_dicom(native(levels(1, 4, 4), 12), **options)


def test_many_threads_read_the_same_and_leave_warnings_as_they_were(recwarn):
    import logging
    import warnings

    loud = native(levels(20, 30, 30), 12, WindowCenter=9, WindowWidth=99) + bytes(4)
    odd = native(levels(21, 30, 30, 3, bits=8, dtype=np.uint8), PhotometricInterpretation="YBR_FULL")
    truth = [read(data).image for data in (loud, odd)]
    before = (list(warnings.filters), warnings.showwarning, logging.getLogger("pydicom").level)
    with ThreadPoolExecutor(8) as pool:
        for index, image in enumerate(pool.map(lambda i: read((loud, odd)[i % 2]).image, range(80))):
            np.testing.assert_array_equal(image, truth[index % 2])
    assert (list(warnings.filters), warnings.showwarning, logging.getLogger("pydicom").level) == before
    assert not recwarn.list
