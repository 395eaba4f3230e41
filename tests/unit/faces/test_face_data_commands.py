"""``vnvision face (embed | calibrate)``: what is written, kept, printed and refused."""

import json
import shlex
import shutil

import numpy as np
import pytest
from face_cli import both, lines, run
from planted import template

from vnvision.faces.parquet import read_embedded

pytest.importorskip("pyarrow")


def test_embed_writes_what_there_is_and_says_what_is_not(people, tmp_path):
    shutil.copy(tmp_path / "wall.png", people / "An" / "wall.png")
    shutil.copy(tmp_path / "broken.jpg", people / "broken.jpg")
    out = tmp_path / "faces.parquet"
    done = run("embed", people, "--out", out)
    assert done.exit_code == 1, "a picture could not be read"
    assert done.stderr.startswith("broken.jpg: unreadable: ")
    assert done.stdout == f"{out}: 9 of 11 pictures (1 no face, 1 unreadable)\n"
    found = read_embedded(out)
    assert found.found.sum() == 9
    assert set(found.columns["identity"]) == {"An", "Bình", "Chi", ""}
    some = run("embed", people, "--out", tmp_path / "chi.parquet", "--where", "identity=Chi")
    assert some.stdout.endswith("chi.parquet: 3 of 3 pictures\n")


def test_calibrate_then_verify_with_it(crowd, people, home, tmp_path):
    done = run("calibrate", "--data", crowd, "--fmr", "1e-2,1e-3", "--population", "xưởng 3")
    assert done.exit_code == 0, done.stderr
    first, second, kept = done.stdout.splitlines()
    rows = np.stack([template(person, photo) for person in range(40) for photo in range(2)])
    scores = (rows @ rows.T)[np.triu(np.arange(80)[:, None] // 2 != np.arange(80)[None] // 2, 1)]
    assert len(scores) == 3120
    threshold = float(first.split("threshold ")[1].split(" ")[0])
    assert (scores >= threshold + 1e-4).mean() <= 1e-2 < (scores >= threshold - 3e-4).mean() + 1 / 3120
    assert first.startswith("xưởng 3 fmr=1e-2: threshold 0.")
    assert "3,120 comparisons)" in second
    assert kept.startswith(
        f"kept in {home / 'face_thresholds.json'}; use them with: vnvision face verify A B"
    )
    assert kept.endswith("--threshold 'fmr=1e-3@xưởng 3'")
    a, b = people / "An" / "0.png", people / "An" / "1.png"
    answer = run("verify", a, b, "--threshold", "fmr=1e-2@xưởng 3")
    assert f"threshold {threshold:.3f}" in answer.stdout
    assert "fmr=1e-2 for xưởng 3: measured " in answer.stdout
    assert run("verify", a, b, "--threshold", "fmr=1e-2", "--json").exit_code == 0


def test_calibrate_by_group_from_an_embedded_file_to_another_place(crowd, home, tmp_path):
    out = tmp_path / "faces.parquet"
    assert run("embed", crowd, "--out", out).exit_code == 0
    words = ("--fmr", "1e-2", "--group", "region", "--json")
    from_file = run("calibrate", "--data", out, *words, "--out", tmp_path / "t.json")
    from_pictures = run("calibrate", "--data", crowd, *words, "--out", tmp_path / "t2.json")
    rows = lines(from_file)
    assert [row["population"] for row in rows] == ["north", "south"]
    assert rows == lines(from_pictures)
    assert all(row["target"] == "fmr=1e-2" and row["n"] == 760 for row in rows)
    assert set(json.loads((tmp_path / "t.json").read_text())["models"]) == {"planted-v1"}
    assert not home.exists()
    south = run("calibrate", "--data", out, "--fmr", "1e-2", "--population", "s", "--where", "region=south",
                "--out", tmp_path / "t.json")  # fmt: skip
    assert f"threshold {rows[1]['threshold']:.4f}" in south.stdout
    assert south.stdout.endswith(f"kept in {tmp_path / 't.json'}\n"), "verify does not look there"


def test_a_rate_too_small_for_the_data_is_said_in_both_languages(crowd, home):
    done = run("calibrate", "--data", crowd, "--fmr", "1e-3,1e-5", "--population", "here")
    assert done.exit_code == 1
    assert done.stdout.count("fmr=1e-3:") == 1
    (line,) = done.stderr.splitlines()
    english, vietnamese = line.split(" | ")
    assert "here: 3,120 comparisons of different people (40 people) cannot support fmr=1e-5" in english
    assert "300,000; collect about 776 people" in english  # 776 * 775 / 2 = 300,700; 775 * 774 / 2 = 299,925
    assert "hãy thu thập khoảng 776 người" in vietnamese
    kept = json.loads((home / "face_thresholds.json").read_text())["models"]["planted-v1"]
    assert [point["target"] for point in kept] == ["fmr=1e-3"]
    none = run("calibrate", "--data", crowd, "--fmr", "1e-5", "--population", "none")
    assert (none.exit_code, none.stdout) == (1, "")


def test_a_wrong_rate_is_refused_before_any_picture_is_embedded(crowd, monkeypatch):
    monkeypatch.delattr("vnvision.cli.face.open_engine")
    done = run("calibrate", "--data", crowd, "--population", "a", "--fmr", "1e-3,2")
    assert str(done.exception) == "a rate is wrong: expected 0 < rate < 1, such as 1e-3, got 1e-3,2"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "whose thresholds are these?: expected either --population NAME or --group COLUMN"),
        (("--population", "a", "--group", "region"), "whose thresholds are these?"),
        (("--population", "a", "--fmr", "1e-3;1e-4"), "a rate is wrong: expected such as 1e-3,1e-4"),
        (("--population", "a", "--fmr", "1"), "a rate is wrong: expected 0 < rate < 1"),
        (("--group", "tỉnh"), "no column 'tỉnh': expected one of identity, region"),
        (
            ("--population", "a", "--where", "region=east"),
            "no row with region=east: expected one of north, south",
        ),
    ],
)
def test_calibrate_says_what_is_missing(crowd, main, words, message):
    code, err = main("calibrate", "--data", crowd, *words)
    assert code == 2
    assert err.startswith(f"vnvision: {message}")
    assert err.count("\n") == 1


def test_the_command_of_an_error_mends_it(crowd, people, main):
    """What the message says is run as it stands, with the folder filled in; then the first command works."""
    words = ("verify", people / "An" / "0.png", people / "An" / "1.png", "--threshold", "fmr=1e-2@nhà máy")
    code, err = main(*words)
    assert code == 2
    for text in both(err):
        command = shlex.split(text[text.index("vnvision face ") :])
        assert command[:3] == ["vnvision", "face", "calibrate"]
        done = run(*(crowd if word == "FOLDER" else word for word in command[2:]))
        assert done.exit_code == 0, done.stderr
    assert run(*words).exit_code == 0
