"""Lists of pairs: LFW's file format, .bin sets, accuracy over folds; and pickles that must not be opened."""

from __future__ import annotations

import codecs
import os
import pickle
from pathlib import Path
from unicodedata import normalize

import numpy as np
import pytest

from vnvision.data.records.bin_sets import read_bin
from vnvision.errors import DataError
from vnvision.evaluate.faces import evaluate_faces
from vnvision.evaluate.faces import notes as warning
from vnvision.evaluate.faces.pair_lists import PairList, pairs_in_order, pairs_of_names, read_pairs_txt
from vnvision.faces.embedded import EmbeddedFaces

TWO_FOLDS = (
    "2\t2\nAn\t1\t2\nBe\t1\t2\nAn\t1\tBe\t1\nAn\t2\tCa\t1\nCa\t1\t2\nCa\t2\t3\nBe\t2\tCa\t3\nAn\t1\tCa\t2\n"
)
PATHS = (
    "An/An_0001.jpg",
    "An/An_0002.jpg",
    "Be/Be_0001.jpg",
    "Be/Be_0002.jpg",
    "Ca/1.png",
    "Ca/02.png",
    "Ca/3.png",
)


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def seven(failed=()):
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(3, 8))
    embeddings = unit(centres[[0, 0, 1, 1, 2, 2, 2]] + 0.6 * rng.normal(size=(7, 8)))
    reasons = tuple("no face" if i in failed else "" for i in range(7))
    columns = {
        "identity": ("An", "An", "Be", "Be", "Ca", "Ca", "Ca"),
        "group": ("a", "a", "b", "b", "b", "b", "b"),
    }
    return EmbeddedFaces(embeddings, PATHS, reasons, columns, "net")


def written(tmp_path, text=TWO_FOLDS):
    path = tmp_path / "pairs.txt"
    path.write_text(text)
    return path


def test_pairs_txt_is_read_fold_by_fold(tmp_path):
    pairs = read_pairs_txt(written(tmp_path))
    assert [pair.fold for pair in pairs] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert (pairs[0].first, pairs[0].second) == (("An", 1), ("An", 2))
    assert (pairs[3].first, pairs[3].second) == (("An", 2), ("Ca", 1))
    single = read_pairs_txt(written(tmp_path, "1\nAn 1 2\nAn 1 Be 1\n"))
    assert [pair.fold for pair in single] == [0, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected folds and pairs a fold"),
        ("An 1 2\n", "line 1: expected folds and pairs a fold"),
        ("1\t1\nAn 1 2\n", "number of pairs: expected 2, got 1"),
        ("1\t1\nAn 1 2\nAn 1 Be x\n", "line 3: expected 'name n m' or 'name n other m'"),
        ("1\t1\nAn 1 2\nAn 1\n", "line 3: expected"),
    ],
)
def test_a_broken_pairs_file_names_its_line(tmp_path, text, message):
    with pytest.raises(DataError) as found:
        read_pairs_txt(written(tmp_path, text))
    assert message in str(found.value)


def test_a_missing_pairs_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.txt"):
        read_pairs_txt(tmp_path / "none.txt")


def test_images_are_found_by_number_in_either_naming(tmp_path):
    pairs = pairs_of_names(read_pairs_txt(written(tmp_path)), PATHS)
    assert pairs.first.tolist() == [0, 2, 0, 1, 4, 5, 3, 0]
    assert pairs.second.tolist() == [1, 3, 2, 4, 5, 6, 6, 5]
    assert pairs.first_subject[3] == "An"
    assert pairs.second_subject[3] == "Ca"


@pytest.mark.parametrize(("in_list", "in_folder"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_one_name_in_two_unicode_forms_is_one_person(tmp_path, in_list, in_folder):
    text = normalize(in_list, "1\nNguyễn 1 2\nNguyễn 1 Bé 1\n")
    (tmp_path / "pairs.txt").write_text(text, "utf-8-sig")  # Windows editors put a mark first
    paths = [normalize(in_folder, f"{name}.jpg") for name in ("Nguyễn_0001", "Nguyễn_0002", "Bé_0001")]
    pairs = pairs_of_names(read_pairs_txt(tmp_path / "pairs.txt"), paths)
    assert (pairs.first.tolist(), pairs.second.tolist()) == ([0, 0], [1, 2])
    assert set(pairs.first_subject) == {normalize("NFC", "Nguyễn")}


def test_a_missing_or_doubled_image_is_named(tmp_path):
    named = read_pairs_txt(written(tmp_path))
    with pytest.raises(DataError, match="image 2 of An is named by the pairs: expected one image, got none"):
        pairs_of_names(named, [path for path in PATHS if "An_0002" not in path])
    with pytest.raises(DataError, match=r"got An/An_0002.jpg, copy/An_0002.png"):
        pairs_of_names(named, [*PATHS, "copy/An_0002.png"])


def test_fold_accuracy_takes_each_threshold_from_the_other_fold(tmp_path):
    faces = seven()
    pairs = pairs_of_names(read_pairs_txt(written(tmp_path)), PATHS)
    report = evaluate_faces(faces, "lfw", pairs=pairs, n_boot=50)
    scores = (faces.embeddings[pairs.first] * faces.embeddings[pairs.second]).sum(1)
    same = np.array([a == b for a, b in zip(pairs.first_subject, pairs.second_subject, strict=True)])
    expected = []
    for fold, limit in zip((0, 1), report.folds.thresholds, strict=True):
        other, own = pairs.folds != fold, pairs.folds == fold
        every = [((scores[other] >= t) == same[other]).mean() for t in [*scores[other], 2]]
        assert ((scores[other] >= limit) == same[other]).mean() == max(every)
        expected.append(((scores[own] >= limit) == same[own]).mean())
    assert report.folds.per_fold == pytest.approx(expected)
    assert report.folds.accuracy == pytest.approx(np.mean(expected))
    assert (report.n_genuine, report.n_impostor, report.n_subjects) == (4, 4, 3)
    assert report.protocol == "lfw"


def test_groups_of_listed_pairs(tmp_path):
    pairs = pairs_of_names(read_pairs_txt(written(tmp_path)), PATHS)
    report = evaluate_faces(seven(), "lfw", pairs=pairs, group="group", threshold=0.2, n_boot=20)
    rows = {row.group: row for row in report.differential.groups}
    assert report.differential.reference == "b"
    assert (rows["a"].fnmr.n, rows["b"].fnmr.n) == (1, 3)
    assert (rows["a"].fmr.n, rows["b"].fmr.n) == (0, 1)
    assert report.differential.cross[0].fmr.n == 3
    with pytest.raises(DataError, match="no impostor pair within the reference group a; give a threshold"):
        evaluate_faces(seven(), "lfw", pairs=pairs, group="group", reference="a")


def test_pairs_without_a_template_are_left_out_and_counted(tmp_path):
    pairs = pairs_of_names(read_pairs_txt(written(tmp_path)), PATHS)
    report = evaluate_faces(seven(failed=(1,)), "lfw", pairs=pairs, n_boot=20)
    assert report.n_genuine + report.n_impostor == 6
    assert warning.PAIRS_LEFT_OUT.format(left=2, pairs=8) in report.warnings


def test_pairs_that_do_not_fit_are_refused(tmp_path):
    pairs = pairs_of_names(read_pairs_txt(written(tmp_path)), PATHS)
    few = EmbeddedFaces(seven().embeddings[:2], PATHS[:2], ("", ""), {})
    with pytest.raises(DataError, match="a pair names an image that is not there: expected rows below 2"):
        evaluate_faces(few, "lfw", pairs=pairs)
    genuine = PairList(np.array([0]), np.array([1]), ("An",), ("An",), np.array([0]))
    with pytest.raises(DataError, match=r"pairs of both kinds are needed: .*got 1 and 0"):
        evaluate_faces(seven(), "lfw", pairs=genuine)


def test_a_bin_set_is_judged_without_knowing_who_is_shown():
    rng = np.random.default_rng(0)
    same = [bool(i % 2) for i in range(40)]
    left = rng.normal(size=(40, 8))
    right = np.where(np.array(same)[:, None], left, 0) + rng.normal(size=(40, 8)) * 0.8
    embeddings = unit(np.stack([left, right], 1).reshape(80, 8))
    faces = EmbeddedFaces(
        embeddings, tuple(f"x.bin:{i}" for i in range(80)), ("",) * 80, {"identity": ("",) * 80}, "net"
    )
    pairs = pairs_in_order(same)
    assert np.bincount(pairs.folds).tolist() == [4] * 10
    report = evaluate_faces(faces, "lfw", pairs=pairs, n_boot=20)
    scores = (embeddings[::2] * embeddings[1::2]).sum(1)
    at = report.tar_at_fmr[0].at.threshold
    assert report.tar_at_fmr[0].tar.value == pytest.approx((scores[np.array(same)] >= at).mean())
    assert len(report.folds.per_fold) == 10
    assert warning.NO_PERSONS in report.warnings
    assert not any("without an identity" in text for text in report.warnings)


# --- pickles ------------------------------------------------------------------------------------------------

IMAGES, SAME = [b"\xff\xd8first", b"second", b"third", b"fourth"], [True, False]


def dumped(tmp_path, value, protocol=2):
    path = tmp_path / "set.bin"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol=protocol))
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize(
    "value",
    [
        (IMAGES, SAME),
        [IMAGES, tuple(SAME)],
        (IMAGES, np.array(SAME)),
        (IMAGES, [np.bool_(True), np.bool_(False)]),
        ([np.frombuffer(image, np.uint8) for image in IMAGES], SAME),
        ([bytearray(image) for image in IMAGES], [1, 0]),
    ],
)
def test_bin_sets_of_every_pickle_protocol_are_read(tmp_path, value, protocol):
    found = read_bin(dumped(tmp_path, value, protocol))
    assert found.images == tuple(IMAGES)
    assert found.same == (True, False)


def test_bin_sets_written_by_python_2_are_read(tmp_path):
    # What Python 2 writes for (['\xff\xd8', 'b'], [True]): byte strings as opcode U.
    text = b"\x80\x02]q\x00(U\x02\xff\xd8q\x01U\x01bq\x02e]q\x03\x88a\x86q\x04."
    assert read_bin(dumped(tmp_path, text)).images == (b"\xff\xd8", b"b")


class Runs:
    """Runs a program when it is unpickled."""

    def __init__(self, call, *arguments):
        self.call, self.arguments = call, arguments

    def __reduce__(self):
        return self.call, self.arguments


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (Runs(os.system, "touch hacked"), "posix.system|nt.system"),
        (Runs(eval, "__import__('os').system('touch hacked')"), r"(builtins|__builtin__)\.eval"),
        (Runs(exec, "open('hacked', 'w')"), r"(builtins|__builtin__)\.exec"),
        (Runs(getattr, "x", "y"), r"(builtins|__builtin__)\.getattr"),
        (Runs(Path, "hacked"), r"pathlib\.\w*Path"),
        ((IMAGES, [Runs(print, "hello")]), r"(builtins|__builtin__)\.print"),
        (Runs(np.load, "hacked.npy"), r"numpy\.load"),
    ],
)
def test_a_hostile_bin_set_is_refused_and_says_what_it_asked_for(tmp_path, monkeypatch, value, wanted):
    monkeypatch.chdir(tmp_path)
    path = dumped(tmp_path, value)
    with pytest.raises(DataError, match=f"set.bin asks for ({wanted}): expected nothing but images"):
        read_bin(path)
    assert [file.name for file in tmp_path.iterdir()] == ["set.bin"]


def test_an_array_of_objects_cannot_smuggle_a_call_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    array = np.array([Runs(os.system, "touch hacked"), True], dtype=object)
    with pytest.raises(DataError, match="asks for"):
        read_bin(dumped(tmp_path, (IMAGES, array)))
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (b"no pickle", "is no .bin set"),
        (pickle.dumps((IMAGES, SAME))[:-5], "is no .bin set"),
        ({"a": 1}, r"is no .bin set: expected \(images, same\), got dict"),
        ((IMAGES, [True]), "images and pairs do not fit: .*got 4 images, 1 pairs"),
        (([], []), "images and pairs do not fit"),
        ((["text", b"x"], [True]), "an image: expected bytes of an image file, got str"),
        ((IMAGES[:2], ["yes"]), "truth of a pair: expected true or false, got 'yes'"),
        ((None, 3), "is no .bin set: expected two lists, got NoneType"),
        ((IMAGES, 3), "is no .bin set: expected two lists, got int"),
        (([Runs(bytearray, 10**9), b"x"], [True]), "an image is longer than the file: .*got 1000000000"),
        (([Runs(codecs.encode, "x", "rot13"), b"x"], [True]), "in another encoding: expected latin1"),
    ],
)
def test_other_files_are_no_bin_sets(tmp_path, value, message):
    with pytest.raises(DataError, match=message):
        read_bin(dumped(tmp_path, value))


def test_a_persistent_id_is_refused(tmp_path):
    with pytest.raises(DataError, match="asks for an object outside the file"):
        read_bin(dumped(tmp_path, b"\x80\x02X\x05\x00\x00\x00outerQ."))


def test_a_missing_bin_set_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read .*none.bin"):
        read_bin(tmp_path / "none.bin")
