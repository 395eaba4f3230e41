"""``vnvision face ...``: what each verb prints, writes and answers to mistakes."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta

import cv2
import pytest
from drawing import face
from face_cli import both, lines, run
from planted import save, shot, template

from vnvision.errors import DataError

pytest.importorskip("cryptography")
pytestmark = pytest.mark.usefixtures("home")
VERBS = (
    "detect", "verify", "fetch", "embed", "calibrate",
    "enroll", "identify", "forget", "list", "export", "audit",
)  # fmt: skip


@pytest.fixture
def drawn(weights, tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), face(160)[:, :, ::-1])
    cv2.imwrite(str(tmp_path / "b.jpg"), face(200, seed=4)[:, :, ::-1])
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return tmp_path


def test_detect_reports_every_picture_and_the_unreadable_one(drawn):
    done = run("detect", drawn, "--json", "--engine", "onnxruntime")
    rows = lines(done)
    assert done.exit_code == 1
    assert [len(row.get("faces", [])) for row in rows] == [1, 1, 0]
    assert "error" in rows[2]
    assert len(rows[0]["faces"][0]["landmarks_px"]) == 5
    assert "embedding" not in rows[0]["faces"][0]


def test_detect_in_words(drawn):
    done = run("detect", drawn / "a.png", "--engine", "onnxruntime")
    assert done.exit_code == 0
    assert "a.png: 1 face: 0.9" in done.stdout


def test_verify_keeps_a_stated_rate_by_default(drawn):
    names = [drawn / "a.png", drawn / "b.jpg", "--engine", "onnxruntime"]
    done = run("verify", *names)
    assert done.exit_code == 0
    assert done.stdout.startswith("the same person: cosine 0.9")
    assert "(fmr=1e-4 for " in done.stdout
    assert " comparisons)" in done.stdout
    (answer,) = lines(run("verify", *names, "--json"))
    assert answer["operating_point"]["target"] == "fmr=1e-4"
    assert answer["operating_point"]["threshold"] == answer["threshold"]
    assert answer["same"] is True
    (lfw,) = lines(run("verify", *names, "--json", "--threshold", "fmr=1e-3@lfw"))
    (again,) = lines(run("verify", *names, "--json", "--threshold", "fmr=1e-3", "--population", "lfw"))
    assert lfw == again
    assert lfw["threshold"] < answer["threshold"]


def test_verify_with_a_number_says_nothing_of_a_rate(drawn):
    names = [drawn / "a.png", drawn / "b.jpg", "--engine", "onnxruntime"]
    other = run("verify", *names, "--threshold", "0.9999")
    assert other.exit_code == 0
    assert other.stdout.startswith("not the same person: cosine 0.9")
    assert other.stdout.endswith("threshold 1.000\n")
    (same,) = lines(run("verify", *names, "--threshold", "-1", "--json"))
    assert (same["same"], same["threshold"], same["operating_point"]) == (True, -1, None)


def test_a_damaged_picture_is_an_error_of_its_own(drawn):
    done = run("verify", drawn / "a.png", drawn / "c.jpg", "--threshold", "0.5")
    assert isinstance(done.exception, DataError)
    assert "c.jpg" in str(done.exception)


def test_enroll_identify_list_forget(people, home, tmp_path):
    done = run(
        "enroll", "e-17", *sorted((people / "An").iterdir()), "--consent", "đồng ý", "--name", "Nguyễn An"
    )
    assert done.exit_code == 0
    assert done.stdout.startswith("e-17: 3 added, 0 renewed, 0 already there; matches until ")
    until = datetime.now(UTC) + timedelta(days=365)
    assert f"{until:%Y-%m-%d}" in done.stdout or f"{until - timedelta(minutes=5):%Y-%m-%d}" in done.stdout
    assert "a new gallery was made" in done.stderr
    assert str(home / "gallery" / "faces.db") in done.stderr

    again = run("enroll", "e-18", people / "Bình", "--consent", "giấy số 4", "--days", "7", "--json")
    (row,) = lines(again)
    assert (row["person"], row["added"], row["already"], row["replaced"]) == ("e-18", 3, 0, 0)
    assert datetime.fromisoformat(row["expires"]) < datetime.now(UTC) + timedelta(days=7)
    assert again.stderr == "", "the gallery is not new"

    pictures = [tmp_path / "two.png", tmp_path / "wall.png", people / "Chi" / "0.png"]
    words = run("identify", *pictures, "--threshold", "0.8")
    assert words.exit_code == 0
    first, second, third, last = words.stdout.splitlines()
    assert first.startswith(f"{pictures[0]}: e-17 (Nguyễn An) 0.9")
    assert "; e-18 0.9" in first
    assert second == f"{pictures[1]}: no face"
    nearest = max(float(template(3) @ template(n, photo)) for n in (1, 2) for photo in range(3))
    assert third == f"{pictures[2]}: unknown (nearest {nearest:.3f})"
    assert last == "threshold 0.800"

    listed = run("list")
    assert listed.stdout.splitlines()[0].startswith(
        "e-17 (Nguyễn An): 3 photos, identification, consent e-17 20"
    )
    assert [row["person"] for row in lines(run("list", "--json"))] == ["e-17", "e-18"]
    consent = lines(run("list", "--json"))[1]["photos"][0]["consent"]
    assert (consent["given_by"], consent["text"]) == ("e-18", "giấy số 4")

    gone = run("forget", "e-17")
    assert gone.stdout == "e-17: 3 photos erased\n"
    assert [row["person"] for row in lines(run("list", "--json"))] == ["e-18"]
    (answer,) = lines(run("identify", tmp_path / "two.png", "--threshold", "0.8", "--json"))
    assert [[c["person"] for c in row["candidates"]] for row in answer["faces"]] == [[], ["e-18"]]
    assert run("forget", "e-18").exit_code == 0
    assert run("list").stdout == "nobody is enrolled\n"
    assert run("list", "--json").stdout == ""


def test_identify_reports_unreadable_pictures_in_place(people, tmp_path):
    run("enroll", "an", people / "An", "--consent", "yes")
    pictures = [people / "An" / "0.png", tmp_path / "broken.jpg", tmp_path / "missing.png", people / "Chi"]
    done = run("identify", *pictures, "--threshold", "0.8", "--json", "--k", "2")
    assert done.exit_code == 1
    rows = lines(done)
    assert [row["source"] for row in rows] == [
        str(path) for path in (*pictures[:3], *sorted((people / "Chi").iterdir()))
    ]
    assert ["error" in row for row in rows] == [False, True, True, False, False, False]
    assert rows[0]["threshold"] == 0.8
    (found,) = rows[0]["faces"]
    assert found["candidates"][0]["person"] == "an"
    assert found["box_xyxy_px"] == [0, 0, 30, 30]
    words = run("identify", *pictures, "--threshold", "0.8")
    assert words.exit_code == 1
    assert f"{tmp_path / 'broken.jpg'}: " in words.stdout


def test_a_first_photo_that_is_refused_still_tells_of_the_new_gallery(people, tmp_path, home):
    """The gallery and its key stay, so whoever made them must hear of the key."""
    done = run("enroll", "an", tmp_path / "wall.png", "--consent", "yes")
    assert isinstance(done.exception, DataError)
    assert (home / "gallery" / "faces.db").exists() == ("a new gallery was made" in done.stderr)
    second = run("enroll", "an", people / "An", "--consent", "yes")
    assert second.exit_code == 0
    assert "a new gallery was made" in done.stderr + second.stderr


def test_enroll_needs_consent_in_words(people, main):
    missing = run("enroll", "an", people / "An")
    assert missing.exit_code == 2
    assert "--consent" in missing.stderr
    code, err = main("enroll", "an", people / "An", "--consent", "  ")
    assert code == 2
    english, vietnamese = both(err)
    assert english == "consent is missing: expected --consent with the words agreed to"
    assert "bằng --consent" in vietnamese
    assert run("enroll", "an", people / "An", "--consent", "x", "--days", "0").exit_code == 2


def test_keys_by_file_and_passphrase(people, tmp_path):
    store = tmp_path / "own" / "staff.db"
    words = ("--gallery", store, "--passphrase")
    done = run("enroll", "an", people / "An", "--consent", "yes", *words, input="mật khẩu dài\n" * 2)
    assert done.exit_code == 0
    assert not store.with_suffix(".key").exists()
    shown = run("list", *words, "--json", input="mật khẩu dài\n")
    assert '"person": "an"' in shown.stdout
    wrong = run("list", *words, input="mật khẩu sai\n")
    assert "the key does not open" in str(wrong.exception)
    two = run("list", *words, "--key", tmp_path / "k")
    assert str(two.exception) == "two keys are named: expected --key or --passphrase"
    run("enroll", "an", people / "An", "--consent", "yes", "--gallery", tmp_path / "b.db")
    moved = shutil.move(tmp_path / "b.key", tmp_path / "moved.key")
    assert "cannot read the gallery key" in str(run("list", "--gallery", tmp_path / "b.db").exception)
    assert run("list", "--gallery", tmp_path / "b.db", "--key", moved).exit_code == 0


def test_export_and_audit(people, tmp_path):
    run("enroll", "an", people / "An", "--consent", "yes")
    run("enroll", "chi", people / "Chi", "--consent", "yes")
    out = tmp_path / "one.json"
    done = run("export", out, "--person", "an")
    assert done.stdout == f"{out}\n"
    text = out.read_text()
    assert "an" in text
    assert "chi" not in text
    assert json.loads(text)
    if os.name == "posix":
        assert out.stat().st_mode & 0o077 == 0
    assert run("export", tmp_path / "all.json", "--embeddings", "plain").exit_code == 0
    assert len((tmp_path / "all.json").read_text()) > 2 * len(text), "two people, and their templates"
    assert "nobody is enrolled as 'zoe'" in str(run("export", out, "--person", "zoe").exception)
    assert "expected none, encrypted or plain" in str(run("export", out, "--embeddings", "all").exception)

    entries = lines(run("audit", "--json"))
    assert [entry["action"] for entry in entries] == ["create", "enroll", "enroll", "export", "export"]
    words = run("audit").stdout.splitlines()
    assert words[0].startswith("1 ")
    assert words[-1].startswith("whole: 5 entries, head ")
    assert "an" not in {name for entry in entries for name in entry["subjects"]}, "pseudonyms only"


def test_errors_are_one_line_in_both_languages(people, main, tmp_path, home):
    a, wall = people / "An" / "0.png", tmp_path / "wall.png"
    cases = {
        ("verify", a, a): ("this model has no threshold for fmr=1e-4", "mô hình chưa có ngưỡng fmr=1e-4"),
        ("verify", a, a, "--threshold", "high"): ("a threshold is wrong", "không hợp lệ"),
        ("verify", a, wall, "--threshold", "0.5"): (f"no face found in {wall}", "không thấy khuôn mặt"),
        ("identify", a, "--threshold", "0.5"): ("there is no gallery", "chưa có kho khuôn mặt"),
        ("list",): ("there is no gallery", "hãy đăng ký trước: vnvision face enroll"),
        ("enroll", "an", tmp_path / "two.png", "--consent", "x"): ("shows several people", "có nhiều người"),
    }
    for words, (english, vietnamese) in cases.items():
        code, err = main(*words)
        assert code == 2
        *notes, last = err.splitlines(keepends=True)
        assert all("a new gallery was made" in note for note in notes)
        found = both(last)
        assert english in found[0]
        assert vietnamese in found[1]
    run("enroll", "an", a, "--consent", "x")
    code, err = main("forget", "zoe")
    english, vietnamese = both(err)
    assert code == 2
    assert english == "nobody is enrolled as 'zoe'; see who is: vnvision face list"
    assert vietnamese == "không có ai tên 'zoe' trong kho; xem danh sách: vnvision face list"


def test_a_folder_without_pictures_is_refused(tmp_path, main):
    (tmp_path / "empty").mkdir()
    code, err = main("detect", tmp_path / "empty")
    assert code == 2
    assert err.startswith("vnvision: no pictures found: expected files ending in .bmp")


def test_an_unknown_engine_is_refused(tmp_path, main):
    save(tmp_path / "a.png", shot(1))
    code, err = main("detect", tmp_path / "a.png", "--engine", "tensorrt")
    assert code == 2
    assert "unknown engine: expected auto, onnxruntime, openvino, got tensorrt" in err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb):
    done = run(verb, "--help")
    assert done.exit_code == 0
    assert "--help" in done.stdout


def test_the_help_lists_every_verb():
    shown = run("--help").stdout
    assert all(verb in shown for verb in VERBS)


def test_what_is_written_twice_agrees():
    """The verbs repeat these so that ``--help`` loads little."""
    from vnvision.cli import face as verbs
    from vnvision.cli.predict import SUFFIXES
    from vnvision.faces import engine, listing

    assert verbs.DEFAULT == engine.DEFAULT_THRESHOLD
    assert SUFFIXES - {".dcm"} == listing.SUFFIXES
