"""Place and time out of photographs; what is missing, odd or damaged says nothing."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import IFDRational, ImageFileDirectory_v2

from vnvision.errors import DataError
from vnvision.imaging.exif import Place, PlaceAndTime, place_and_time

HUE = {1: "N", 2: (16.0, 27.0, 49.32), 3: "E", 4: (107.0, 35.0, 27.24)}
TIME = {0x9003: "2026:11:20 07:41:05"}


def photo(gps=None, times=None, form="JPEG", main=None):
    picture, stream = Image.fromarray(np.zeros((4, 6, 3), np.uint8)), BytesIO()
    tags = {0x010F: "maker"} | (main or {})  # Pillow leaves a block out whose first directory is empty
    if form == "TIFF":
        inside = ImageFileDirectory_v2()
        for tag, value in {**tags, 0x8825: gps or {}, 0x8769: times or {}}.items():
            inside[tag] = value
        picture.save(stream, form, tiffinfo=inside)
        return stream.getvalue()
    exif = Image.Exif()
    for tag, value in tags.items():
        exif[tag] = value
    exif.get_ifd(0x8825).update(gps or {})
    exif.get_ifd(0x8769).update(times or {})
    picture.save(stream, form, exif=exif)
    return stream.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_place_and_time_of_every_format(form, tmp_path):
    data = photo(HUE, TIME, form)
    found = place_and_time(data)
    assert found.taken == datetime(2026, 11, 20, 7, 41, 5)
    assert found.place.latitude_deg == pytest.approx(16 + 27 / 60 + 49.32 / 3600, abs=1e-6)
    assert found.place.longitude_deg == pytest.approx(107 + 35 / 60 + 27.24 / 3600, abs=1e-6)
    (tmp_path / "a").write_bytes(data)
    assert place_and_time(tmp_path / "a") == found


def test_south_and_west_are_negative():
    found = place_and_time(photo(HUE | {1: "S", 3: "W"}))
    assert found.place.latitude_deg == pytest.approx(-16.4637, abs=1e-4)
    assert found.place.longitude_deg == pytest.approx(-107.5909, abs=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {1: "X"},
        {2: (91.0, 0.0, 0.0)},
        {2: (16.0, 61.0, 0.0)},
        {2: (IFDRational(1, 0), 0.0, 0.0)},
        {2: (16.0, 27.0)},
        {4: (181.0, 0.0, 0.0)},
        {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
    ],
)
def test_places_that_make_no_sense_are_none(change):
    assert place_and_time(photo(HUE | change)).place is None


def test_a_missing_side_is_no_place():
    assert place_and_time(photo({2: HUE[2], 4: HUE[4]})).place is None


def test_time_zone_where_the_file_states_one():
    found = place_and_time(photo(times=TIME | {0x9011: "+07:00"})).taken
    assert found == datetime(2026, 11, 20, 7, 41, 5, tzinfo=timezone(timedelta(hours=7)))
    assert place_and_time(photo(times=TIME | {0x9011: "junk"})).taken == datetime(2026, 11, 20, 7, 41, 5)


def test_digitised_stands_in_for_original_and_changed_does_not():
    assert place_and_time(photo(times={0x9004: "2025:01:02 03:04:05"})).taken == datetime(2025, 1, 2, 3, 4, 5)
    assert place_and_time(photo(main={0x0132: "2025:01:02 03:04:05"})).taken is None


@pytest.mark.parametrize("text", ["0000:00:00 00:00:00", "    :  :     :  :  ", "yesterday", ""])
def test_clocks_never_set_are_none(text):
    assert place_and_time(photo(times={0x9003: text})).taken is None


def test_files_without_exif_or_of_other_kinds_say_nothing():
    nothing = PlaceAndTime()
    dicom = b"\0" * 128 + b"DICM" + b"\0" * 64
    assert [place_and_time(data) for data in (photo(), dicom, b"hello", b"")] == [nothing] * 4


def test_damaged_files_say_nothing_or_what_is_left():
    data = bytearray(photo(HUE, TIME))
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(data)
        for at in rng.integers(2, len(data), 4):
            broken[at] = rng.integers(256)
        found = place_and_time(bytes(broken[: rng.integers(20, len(data))]))
        assert isinstance(found, PlaceAndTime)
        assert found.place is None or isinstance(found.place, Place)


def test_a_file_that_is_not_there_or_too_large(tmp_path):
    with pytest.raises(DataError, match=r"gone\.jpg cannot be opened: got No such file"):
        place_and_time(tmp_path / "gone.jpg")
    with pytest.raises(DataError, match=r"too large.*6 x 4"):
        place_and_time(photo(HUE), max_pixels=10)
