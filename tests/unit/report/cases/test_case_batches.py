"""Batches: counts, the list, the table that no spreadsheet runs, bounded memory."""

from __future__ import annotations

import csv
import gc
import io
import re
import shutil
import subprocess
import weakref
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from vnvision.errors import ConfigError
from vnvision.imaging.exif import Place, PlaceAndTime
from vnvision.report.cases import Unread, batch, case_of, write_batch
from vnvision.report.cases.table import safe


def rows_of(path):
    data = path.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def cases(make, picture):
    facts = make.facts()
    place = PlaceAndTime(Place(10.37112, 105.43284), datetime(2026, 11, 20, 7, 41))

    def build(language="vi"):
        answers = [make.classes(facts, 0.93456, 0.04, 0.02544), make.classes(facts, 0.1, 0.8, 0.1)]
        answers += [make.classes(facts, 0.7, 0.2, 0.1)]
        answers += [make.classes(facts, 0.4, 0.35, 0.25, reasons=("low_confidence",))]
        answers += [make.classes(facts, 0.4, 0.35, 0.25, reasons=("too_dark", "low_confidence"))]
        for number, answer in enumerate(answers, 1):
            yield case_of(
                picture, answer, facts, reference=f"lá {number}", language=language, place_and_time=place
            )
        yield Unread("lá 6")

    return build


def test_the_table_has_every_picture(cases, tmp_path):
    path = write_batch(cases(), tmp_path, formats=("csv",))[0]
    rows = rows_of(path)
    assert [row["reference"] for row in rows] == [f"lá {n}" for n in range(1, 7)]
    assert [row["status"] for row in rows] == ["answered"] * 3 + ["abstained"] * 2 + ["unread"]
    first = rows[0]
    assert (first["answer"], first["answer_text"]) == ("angular_leaf_spot", "Đốm góc lá")
    assert first["probability"] == "0.9346"
    assert first["probability:bean_rust"] == "0.0400"
    assert (first["latitude_deg"], first["longitude_deg"]) == ("10.3711", "105.4328")
    assert first["taken"] == "2026-11-20T07:41:00"
    assert first["model_sha256"].startswith("c0ffee")
    assert "tham khảo" in first["notice"]
    for row in rows[3:]:
        assert {row[name] for name in ("answer", "probability", "probability:healthy")} == {""}
    assert rows[4]["reasons"] == "too_dark; low_confidence"
    assert b"\r\n" in path.read_bytes()


def test_counts_and_areas_have_a_column_a_label(make, picture, tmp_path):
    cells, leaf = make.cells(), make.leaf()
    found = make.boxes(cells, [("RBC", (1, 1, 20, 20)), ("RBC", (3, 3, 9, 9)), ("WBC", (40, 2, 70, 30))])
    case = case_of(picture, found, cells, reference="1")
    row = rows_of(write_batch([case, case], tmp_path, formats=("csv",))[0])[0]
    assert [row[f"count:{one}"] for one in ("RBC", "WBC", "Platelets")] == ["2", "1", "0"]
    mask = np.zeros((60, 80), np.uint8)
    mask[:30], mask[:6] = 1, 2
    case = case_of(picture, make.areas(leaf, mask, 0.2), leaf, reference="1")
    row = rows_of(write_batch([case], tmp_path, formats=("csv",))[0])[0]
    assert (row["severity_percent"], row["pixels:lesion"], row["pixels:leaf"]) == ("20.00", "480", "1920")


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "＝1", "=HYPERLINK(1)"]
)
def test_no_cell_is_a_formula(make, picture, tmp_path, text):
    assert safe(text) == f"'{text}"
    facts = make.facts()
    case = case_of(picture, make.classes(facts, 1, 0, 0), facts, reference=text)
    for cell in rows_of(write_batch([case], tmp_path, formats=("csv",))[0])[0].values():
        assert not cell.lstrip(" ").startswith(("=", "+", "@", "\t", "\r", "＝"))
        assert not cell.startswith("-")


def test_plain_text_is_left_alone():
    assert [safe(text) for text in ("lá 1", "a=b", "", "0001")] == ["lá 1", "a=b", "", "0001"]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_summary_counts_what_was_answered_and_what_was_not(cases, language):
    told = batch.batch_of(cases(language))
    assert [tile.value for tile in told.tiles] == ["6", "3", "2", "1"]
    names = {"vi": ["đốm góc lá", "gỉ sắt đậu"], "en": ["angular leaf spot", "bean rust"]}[language]
    assert [(bar.name, bar.number) for bar in told.answers] == list(zip(names, ("2", "1"), strict=True))
    assert [bar.number for bar in told.reasons] == ["2", "1"]
    assert [entry.unsure for entry in told.entries] == [False] * 3 + [True] * 3
    unsure = {"vi": "Không chắc chắn", "en": "Not sure"}[language]
    assert [entry.big for entry in told.entries[3:5]] == [unsure] * 2
    assert any("not how common" in note or "không phải tỉ lệ" in note for note in told.notes)


def test_objects_are_added_up_and_severity_is_summed_up(make, picture):
    cells, leaf = make.cells(), make.leaf()
    found = make.boxes(cells, [("RBC", (1, 1, 20, 20)), ("WBC", (40, 2, 70, 30))])
    told = batch.batch_of(case_of(picture, found, cells, reference="1", language="en") for _ in range(3))
    assert [(bar.name, bar.number) for bar in told.answers] == [
        ("red blood cell", "3"),
        ("white blood cell", "3"),
    ]
    mask = np.ones((60, 80), np.uint8)
    shares = (0.1, 0.2, 0.6)
    told = batch.batch_of(
        case_of(picture, make.areas(leaf, mask, share), leaf, reference="1", language="en")
        for share in shares
    )
    assert told.notes[0] == "Diseased share: median 20.0%, from 10.0% to 60.0% (3 pictures)."


@pytest.mark.parametrize("language", ["vi", "en"])
def test_pages_of_a_batch(cases, tmp_path, language):
    paths = write_batch(cases(language), tmp_path, title="Thửa <12>")
    assert [path.name for path in paths] == ["batch.html", "batch.pdf", "batch.csv"]
    text = paths[0].read_text("utf-8")
    assert f'<html lang="{language}">' in text
    assert "Thửa &lt;12&gt;" in text
    for word in ("http://", "https://", "url(", "<script", "105.43"):
        assert word not in text
    assert text.count("data:image/jpeg") == 5
    again = write_batch(cases(language), tmp_path / "again", title="Thửa <12>")
    assert [a.read_bytes() == b.read_bytes() for a, b in zip(paths, again, strict=True)] == [True] * 3


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_the_pdf_lists_every_picture_over_several_pages(cases, tmp_path):
    many = [replace(case, reference=f"lá số {n}") for n, case in enumerate([*cases()][:5] * 12)]
    path = write_batch(many, tmp_path, formats=("pdf",))[0]
    assert len(re.findall(rb"/Type /Page\b", path.read_bytes())) > 2
    text = subprocess.run(
        ["pdftotext", "-layout", path, "-"], capture_output=True, check=True
    ).stdout.decode()
    for case in many:
        assert re.search(rf"{case.reference}\b", text)
    assert "Không chắc chắn" in text


def test_only_the_first_are_listed_and_the_page_says_so(cases, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "MOST_SHOWN", 4)
    told = batch.batch_of(cases("en"))
    assert len(told.entries) == 4
    assert len(told.rows) == 6
    assert "Only the first 4 of 6 pictures are here; the CSV table has all." in told.notes


def test_cases_are_let_go_as_they_come(make, picture):
    facts, alive = make.facts(), []

    class Traced:
        """Weak references need a class of one's own: the case's picture."""

    def stream():
        for number in range(30):
            case = case_of(picture, make.classes(facts, 1, 0, 0), facts, reference=str(number))
            mark = Traced()
            object.__setattr__(case, "advice", mark)
            alive.append(weakref.ref(mark))
            yield case
            del case, mark
            gc.collect()
            assert sum(one() is not None for one in alive) <= 2

    batch.batch_of(stream())


def test_a_batch_is_about_one_model_in_one_language(cases, make, picture, tmp_path):
    mixed = [next(cases("vi")), next(cases("en"))]
    with pytest.raises(ConfigError, match="one model, in one language"):
        write_batch(mixed, tmp_path)
    malaria = make.malaria()
    other = case_of(picture, make.classes(malaria, 0, 1), malaria, reference="1")
    other = replace(other, model=replace(other.model, sha256="0" * 64))
    with pytest.raises(ConfigError, match="got malaria 000000000000"):
        write_batch([next(cases("vi")), other], tmp_path)
    with pytest.raises(ConfigError, match="nothing to report"):
        write_batch([Unread("1")], tmp_path)
    assert not list(tmp_path.iterdir())
