"""``vnvision clinic deidentify``: one clear line, exit codes, what it prints and what it never prints."""

import json
import os
import stat

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from vnvision.cli.clinic import app
from vnvision.errors import ConfigError, DataError, VnvisionError


def run(*words):
    """Exit code and output; an error of ours is raised, as ``main`` would see it."""
    done = CliRunner().invoke(app, ["deidentify", *(str(word) for word in words)])
    if isinstance(done.exception, VnvisionError):
        raise done.exception
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


@pytest.fixture
def places(tmp_path, monkeypatch):
    monkeypatch.delenv("VNVISION_PSEUDONYM_KEY", raising=False)
    source = tmp_path / "Nguyen Van Teo"
    source.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        with open(get_testdata_file(name), "rb") as stream:
            (source / f"teo_{name}").write_bytes(stream.read())
    return source, tmp_path / "out", tmp_path / "my.key"


def test_the_usual_way(places):
    source, out, key = places
    done = run(source, out, "--key", key, "--new-key")
    assert done.exit_code == 0
    assert "2 of 2 files de-identified, 2 patients, 0 repeated, 0 not processed" in done.stdout
    assert "new key" in done.stderr
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in "".join(
        path.read_bytes().hex() + path.read_bytes().decode("latin-1")
        for path in out.rglob("*")
        if path.is_file()
    )
    again = run(source, out.with_name("again"), "--key", key)
    assert again.exit_code == 0
    first, second = (
        sorted(str(p.relative_to(o)) for p in o.rglob("*.dcm")) for o in (out, out.with_name("again"))
    )
    assert first == second


def test_json_and_the_key_from_the_environment(places, monkeypatch):
    source, out, _ = places
    monkeypatch.setenv("VNVISION_PSEUDONYM_KEY", "ab" * 32)
    done = run(
        source, out, "--json", "--retain", "shifted-dates", "--clean", "descriptors", "--blank", "0,0,10,10"
    )
    answer = json.loads(done.stdout)
    assert (answer["written"], answer["retain"], answer["clean"]) == (2, ["shifted-dates"], ["descriptors"])
    assert answer["blank_px"] == [[0, 0, 10, 10]]
    assert "eo_CT" not in done.stdout
    assert answer["warnings"]["blanked-not-checked"] == 2


def test_a_file_that_cannot_be_processed_is_named_and_the_others_are_done(places):
    source, out, key = places
    (source / "teo_notes.txt").write_text("x")
    done = run(source, out, "--key", key, "--new-key", "--linkage", out.with_name("who.csv"))
    assert done.exit_code == 1
    assert "2 of 3 files de-identified" in done.stdout
    line = next(line for line in done.stderr.splitlines() if "teo_notes.txt" in line)
    assert line.endswith(
        "not a DICOM file: expected a file that starts as PS3.10 says | không phải tệp DICOM"
    )
    assert "teo" not in (out / "deidentification.json").read_text().lower()
    assert out.with_name("who.csv").is_file()


def test_a_single_file(places):
    source, out, key = places
    done = run(source / "teo_CT_small.dcm", out, "--key", key, "--new-key")
    assert "1 of 1 files de-identified" in done.stdout


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "no key for the pseudonyms: expected --key FILE, or VNVISION_PSEUDONYM_KEY"),
        (["--new-key"], "--new-key needs a place for the key: expected --key FILE"),
        (["--key", "{key}"], "cannot read the pseudonym key"),
        (["--key", "{out}/my.key", "--new-key"], "the key would lie in the output folder"),
        (["--retain", "names"], "--retain names is unknown: expected dates, shifted-dates, patient"),
        (["--clean", "all"], "--clean all is unknown: expected descriptors, graphics, structured"),
        (["--blank", "0,0,10"], "--blank is no rectangle: expected X,Y,WIDTH,HEIGHT in pixels"),
        (["--blank", "a,0,10,5"], "--blank is no rectangle"),
        (
            ["--key", "{key}", "--new-key", "--retain", "dates", "--retain", "shifted-dates"],
            "two kinds of dates",
        ),
    ],
)
def test_wrong_words_give_one_line(places, words, text):
    source, out, key = places
    with pytest.raises(ConfigError, match=text) as caught:
        run(source, out, *(word.format(key=key, out=out) for word in words))
    assert "\n" not in caught.value.in_both()
    assert not out.exists()


def test_a_key_is_never_overwritten(places):
    source, out, key = places
    key.write_text("precious")
    with pytest.raises(ConfigError, match="cannot create the key file"):
        run(source, out, "--key", key, "--new-key")
    assert key.read_text() == "precious"


def test_nothing_there(places):
    source, out, key = places
    with pytest.raises(DataError, match="nowhere does not exist"):
        run(source / "nowhere", out, "--key", key, "--new-key")
