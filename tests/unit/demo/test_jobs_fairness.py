"""Planted faces, so that who is taken for whom is known before it is counted."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vnvision.errors import ConfigError, DataError
from vnvision.imaging.isolated import IsolatedReader
from vnvision.records import Metric, OperatingPoint
from vnvision_demo.jobs.fairness import fairness_report
from vnvision_demo.jobs.fairness_people import list_photos
from vnvision_demo.jobs.zips import unpack_pictures

AT = 0.6
POINT = OperatingPoint(
    threshold=AT, scale="cosine", target="fmr=1e-4", population="planted", n=10**6, manifest_sha256="ab" * 32,
    achieved=Metric(value=1e-4, n=10**6),
)  # fmt: skip


@pytest.fixture(scope="module")
def planted():
    """The module of drawn faces beside the tests of faces."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "faces"))
    try:
        import planted

        yield planted
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def reader():
    with IsolatedReader() as one:
        yield one


def people(planted, root, groups=("bắc", "nam"), each=6, photos=3):
    """``root/group/người N/K.png``; without groups ``root/người N/K.png``."""
    number = 0
    for group in groups:
        for _ in range(each):
            number += 1
            for k in range(photos):
                planted.save(root / group / f"người {number}" / f"{k}.png", planted.shot((number, k)))
    return root


def report(planted, source, out, reader, **options):
    engine = planted.planted_engine(points=(POINT,))
    return fairness_report(source, out, engine=engine, reader=reader, **options)


def counted(planted, numbers, photos=3):
    """Who is taken for somebody else and who is not known again, from the templates themselves."""
    faces = [(n, planted.template(n, k)) for n in numbers for k in range(photos)]
    mistaken, missed = set(), set()
    for (a, x), (b, y) in itertools.combinations(faces, 2):
        match = float(np.dot(x, y)) >= AT
        if a != b and match:
            mistaken |= {a, b}
        if a == b and not match:
            missed.add(a)
    return mistaken, missed


def test_people_taken_for_somebody_else_are_counted_by_group(planted, tmp_path, reader):
    root = people(planted, tmp_path / "all", each=8)
    planted.save(root / "nam" / "người 9" / "wall.png", planted.shot())
    (root / "bắc" / "người 1" / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    told = []
    found = report(
        planted, root, tmp_path / "out", reader, progress=lambda *now: told.append(now), language="vi"
    )
    mistaken, missed = counted(planted, range(1, 17))
    assert mistaken  # else the test shows nothing
    rows = {row.name: row for row in found.groups}
    for name, numbers in (("bắc", range(1, 9)), ("nam", range(9, 17))):
        assert rows[name].mistaken == len(mistaken & set(numbers))
        assert rows[name].missed == len(missed & set(numbers))
        assert (rows[name].people, rows[name].photos) == (8, 25)
    assert (rows["nam"].no_face, rows["bắc"].unreadable) == (1, 1)
    assert (found.people, found.photos, found.no_face, found.unreadable) == (16, 50, 1, 1)
    assert found.report.failure_to_enrol.value == pytest.approx(2 / 50)
    assert (found.threshold, found.target, found.population) == (AT, "fmr=1e-4", "planted")
    assert rows["bắc"].people_needed == 83  # 83 * 82 / 2 * 9 is the first over 30,000
    stages = [stage for stage, _ in itertools.groupby(told, key=lambda now: now[1])]
    assert stages == ["list", "faces", "compare", "write", "done"]
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1][0] == 1


def test_what_is_written_names_nobody(planted, tmp_path, reader):
    found = report(planted, people(planted, tmp_path / "all"), tmp_path / "out", reader)
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "report.html", "report.json", "report.pdf",
    ]  # fmt: skip
    assert found.pdf.read_bytes().startswith(b"%PDF")
    for file in (found.html, found.json):
        text = file.read_text(encoding="utf-8")
        assert "người 1" not in text
        assert str(tmp_path) not in text
    assert json.loads(found.json.read_text())["group"] == "group"


def test_without_groups_all_are_one(planted, tmp_path, reader):
    found = report(planted, people(planted, tmp_path / "all", groups=("",)), tmp_path / "out", reader)
    (row,) = found.groups
    assert (row.name, row.people, row.photos) == ("", 6, 18)
    assert found.report.differential is None
    assert row.fmr == found.report.operating.fmr


def test_a_zip_gives_the_same_as_its_folder(planted, tmp_path, reader):
    root = people(planted, tmp_path / "data" / "all")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for file in root.rglob("*.png"):
            archive.write(file, file.relative_to(tmp_path).as_posix())
    unpacked = unpack_pictures(tmp_path / "a.zip", tmp_path)
    first = report(planted, unpacked, tmp_path / "one", reader)
    second = report(planted, root, tmp_path / "two", reader)
    assert first.groups == second.groups


def test_one_photo_in_two_folders_is_told(planted, tmp_path, reader):
    root = people(planted, tmp_path / "all")
    shutil.copy(root / "bắc" / "người 1" / "0.png", root / "nam" / "người 7" / "9.png")
    shutil.copy(root / "bắc" / "người 1" / "0.png", root / "bắc" / "người 1" / "9.png")
    found = report(planted, root, tmp_path / "out", reader)
    assert found.twins == (("bắc/người 1/0.png", "nam/người 7/9.png"),)


def test_large_photos_are_made_smaller_before_they_wait(planted, tmp_path, reader):
    root = people(planted, tmp_path / "all")
    planted.save(root / "bắc" / "người 1" / "large.png", np.zeros((4000, 6000, 3), np.uint8))
    engine = planted.planted_engine(points=(POINT,))
    fairness_report(root, tmp_path / "out", engine=engine, reader=reader)
    sizes = [size for batch in engine.detector.batches for size in batch]
    assert (2828, 4242) in sizes


def test_the_callback_stops_the_work(planted, tmp_path, reader):
    def stop(share, stage):
        if stage == "faces" and share > 0.3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report(planted, people(planted, tmp_path / "all"), tmp_path / "out", reader, progress=stop)
    assert not (tmp_path / "out").exists()


def test_one_who_is_in_two_groups_by_name_is_two_people(tmp_path):
    names = [("a/An/1.jpg", Path("1")), ("b/An/1.jpg", Path("2"))]
    assert [photo.person for photo in list_photos(names)] == ["a/An", "b/An"]


@pytest.mark.parametrize(
    ("names", "word"),
    [
        ([], "none"),
        (["1.jpg", "2.jpg"], "1.jpg"),
        (["An/1.jpg", "An/2.jpg"], "2 pictures in one folder"),
        (["An/1.jpg", "b/An/1.jpg"], "An/1.jpg beside b/An/1.jpg"),
        ([f"An/{n}.jpg" for n in range(2000)] + [f"B/{n}.jpg" for n in range(1001)], "3,001"),
        ([f"{n}/1.jpg" for n in range(1001)], "1,001"),
    ],
)
def test_folders_that_say_nothing_are_one_clear_error(names, word):
    with pytest.raises(DataError, match=word) as caught:
        list_photos([(name, Path(name)) for name in names])
    assert caught.value.vietnamese


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"photos": 1}, "two photos"),
        ({"each": 4}, "got bắc: 4, nam: 4"),
        ({"groups": ("",), "each": 1}, "3 pictures in one folder"),
    ],
)
def test_too_few_people_are_refused_before_a_face_is_looked_for(planted, tmp_path, reader, options, word):
    engine = planted.planted_engine(points=(POINT,))
    root = people(planted, tmp_path / "all", **options)
    with pytest.raises(DataError, match=word) as caught:
        fairness_report(root, tmp_path / "out", engine=engine, reader=reader)
    assert caught.value.vietnamese
    assert engine.detector.batches == []


def test_too_few_faces_are_refused_with_words_that_say_so(planted, tmp_path, reader):
    root = people(planted, tmp_path / "all")
    for number in (1, 2):
        for k in range(3):
            planted.save(root / "bắc" / f"người {number}" / f"{k}.png", planted.shot())
    with pytest.raises(DataError, match=r"with a face.*bắc: 4"):
        report(planted, root, tmp_path / "out", reader)


def test_a_threshold_that_was_never_measured_is_refused_first(planted, tmp_path, reader):
    with pytest.raises(ConfigError):
        report(planted, tmp_path, tmp_path / "out", reader, threshold="fmr=1e-6")


@pytest.mark.realdata
@pytest.mark.skipif("VNVISION_DATA" not in os.environ, reason="VNVISION_DATA, the real images, is not set")
def test_forty_real_people_in_three_groups(tmp_path):
    """Zipped, unpacked, embedded and reported."""
    import time

    from vnvision.faces.engine import FaceEngine

    source = Path(os.environ["VNVISION_DATA"]) / "faces" / "asianfaces_dev"
    chosen: dict[str, dict[str, list[Path]]] = {}
    for file in sorted(source.glob("*/*.jpg")):
        person = file.stem.rpartition("-")[0]
        chosen.setdefault(file.parent.name, {}).setdefault(person, []).append(file)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for group, persons in chosen.items():
            for person in [name for name, files in persons.items() if len(files) > 1][:14]:
                for file in persons[person][:3]:
                    archive.write(file, f"photos/{group}/{person}/{file.name}")
    unpacked = unpack_pictures(tmp_path / "a.zip", tmp_path)
    started = time.perf_counter()
    with IsolatedReader() as reader:
        found = fairness_report(unpacked, tmp_path / "out", engine=FaceEngine(threads=1), reader=reader)
    print(f"{found.photos} photos, {found.people} people, {time.perf_counter() - started:.1f} s")
    print(*found.groups, sep="\n")
    assert {row.name for row in found.groups} == {"chinese", "japanese", "korean"}
    assert found.people >= 39
    assert found.target == "fmr=1e-4"
    shutil.rmtree(unpacked.root)
