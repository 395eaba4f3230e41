"""The catalogue counts only rows with an output, an example and a measured figure of their own."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from hub_standins import FORMS
from pending import PENDING, UNWRITTEN

from vnvision.errors import ConfigError
from vnvision.hub import catalogue
from vnvision.hub.catalogue import BEGIN, END, FUNCTIONS, functions, load_functions, markdown_table
from vnvision.metrics.bootstrap import clopper_pearson

ROOT = Path(__file__).parents[3]
BENCHMARKS = (ROOT / "training" / "BENCHMARKS.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"[\d,]*\.?\d+(?:e-?\d+)?")
ROWS = functions()
MEASURED = [one for one in ROWS if one.figure is not None]


def numbers(text):
    return {float(found.replace(",", "")) for found in NUMBER.findall(text)}


def test_there_are_enough_of_every_kind():
    assert len(ROWS) >= 24
    for group, least in {"faces": 8, "crops": 6, "clinic": 6, "data": 4}.items():
        assert sum(one.group == group for one in ROWS) >= least


def test_no_row_is_another_under_a_new_name():
    for field in ("id", "python", "command"):
        values = [getattr(one, field) for one in ROWS]
        assert len(set(values)) == len(values), field
    for language in ("vi", "en"):
        assert len({one.name.text(language) for one in ROWS}) == len(ROWS)
        assert len({one.what.text(language) for one in ROWS}) == len(ROWS)


def test_each_names_an_extra_that_exists_and_a_model_that_is_to_ship():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert {one.needs for one in ROWS} - {""} <= set(extras)
    assert {one.model for one in ROWS} - {""} == set(FORMS)


def test_rows_without_a_figure_are_those_known_to_wait():
    assert {one.id for one in ROWS if one.figure is None} == PENDING


@pytest.mark.parametrize("one", MEASURED, ids=lambda one: one.id)
def test_figures_stand_in_benchmarks(one):
    """Under the heading they name; the interval of a count may be the exact binomial one instead."""
    figure = one.figure
    parts = re.split(r"^#+ ", BENCHMARKS, flags=re.MULTILINE)
    sections = [part for part in parts if part.startswith(figure.section)]
    if one.id in UNWRITTEN:
        assert not sections, f"strike {one.id} from UNWRITTEN"
        pytest.xfail(f"BENCHMARKS has no section {figure.section} yet")
    (section,) = sections
    printed = numbers(section)
    assert numbers(figure.value) <= printed
    assert figure.n in printed | numbers((ROOT / "README.md").read_text(encoding="utf-8"))
    ends = numbers(figure.low) | numbers(figure.high)
    if not ends <= printed:
        share = float(figure.value)
        exact = clopper_pearson(round(share * figure.n), figure.n)
        for end, limit in zip((figure.low, figure.high), exact, strict=True):
            digits = len(end.partition(".")[2])
            assert float(end) == pytest.approx(limit, abs=0.51 * 10**-digits)


def test_readme_has_the_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    if BEGIN not in text:
        pytest.fail(f"README lacks {BEGIN}: put markdown_table() there")
    assert text[text.index(BEGIN) : text.index(END) + len(END)] == markdown_table()


def test_tables_of_both_languages_have_a_row_a_function():
    for language in ("en", "vi"):
        rows = [line for line in markdown_table(language).splitlines() if line.startswith("| **")]
        assert len(rows) == len(ROWS)
        assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    with pytest.raises(ConfigError, match="unknown language"):
        markdown_table("fr")


def test_every_problem_of_a_file_is_said_at_once(tmp_path):
    text = FUNCTIONS.read_text("utf-8")
    first = text[text.index("- id: face_detect") : text.index("- id: face_align")]
    bad = tmp_path / "f.yaml"
    bad.write_text(
        first
        + first
        + first.replace("face_detect", "Face!").replace("  group: faces", "  group: cats\n  speed: 3")
        + first.replace("id: face_detect", "id: other").replace("  input: photo.jpg", "  input: cat.jpg"),
        "utf-8",
    )
    with pytest.raises(ConfigError) as caught:
        load_functions(bad)
    line = str(caught.value)
    assert "\n" not in line
    for words in (
        "face_detect: given twice",
        "face_detect: the same call as face_detect",
        "Face!: id:",
        "group: Input should be 'faces'",
        "speed: unknown key",
        "other: value: Value error, input 'cat.jpg' is not in the command",
    ):
        assert words in line


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", "is no catalogue: expected a list of functions, got dict"),
        ("- [", "cannot read"),
        ("- {id: a,\n   id: b}\n", "cannot read .* line 1: given twice: id"),
    ],
)
def test_files_that_are_no_catalogue(tmp_path, text, said):
    (tmp_path / "f.yaml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_functions(tmp_path / "f.yaml")
    with pytest.raises(ConfigError, match="cannot read"):
        load_functions(tmp_path / "none.yaml")


def test_groups_are_known():
    assert catalogue.checked_group(None) is None
    assert catalogue.checked_group("data") == "data"
    with pytest.raises(ConfigError, match="unknown group: expected faces, crops, clinic, data, got cats"):
        catalogue.checked_group("cats")


def test_the_hub_loads_neither_torch_nor_an_engine():
    code = (
        "import sys\n"
        "from vnvision.hub import catalogue, listing, shelf\n"
        "catalogue.functions(), listing.entries(lambda extra: True), shelf.model_names()\n"
        "heavy = {'torch', 'onnxruntime', 'openvino', 'cv2', 'sklearn'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
