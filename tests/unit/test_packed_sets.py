"""Face training from packed pictures: the same batches as from files, and what is refused."""

import csv
import json
import pickle
from contextlib import nullcontext
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from vnvision.data.augment import PRESETS, AugmentSpec
from vnvision.data.identities import IdentityBatches
from vnvision.data.manifest import read_manifest
from vnvision.data.records.coded import Coded
from vnvision.data.records.face_rec import write_face_rec
from vnvision.data.records.packing import pack_shards
from vnvision.data.records.rec import RecordReader
from vnvision.data.records.shard_rows import read_rows
from vnvision.data.records.sources import ShardPictures, open_pictures
from vnvision.errors import ConfigError, DataError
from vnvision.imaging import Preprocessor
from vnvision.spec import PreprocessSpec
from vnvision.train.config import load_config
from vnvision.train.data import Steps
from vnvision.train.faces import identities
from vnvision.train.inputs import picture_feed
from vnvision.train.packed import PackedSet, open_data, splits_of
from vnvision.train.prepare import parts

PEOPLE, EACH = 12, 4
SPEC = PreprocessSpec(size_px=(32, 32), geometry="squash", mean=(0.5, 0.4, 0.3), std=(0.5, 0.6, 0.7))


def written(path, rows):
    with open(path, "w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve people: grey and colour, PNG and JPEG, other sizes, one picture of nobody; people's names are
    not in order of first appearance. The training people's pictures also as a ``.rec`` of the same order."""
    root = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    rows, people = [("path", "identity", "group", "split", "licence")], {}
    for number in range(PEOPLE * EACH):
        person = number // EACH
        size = (40, 50, 3) if number % 5 else (32, 32)
        image = cv2.GaussianBlur(rng.integers(0, 256, size, dtype=np.uint8), (5, 5), 2)
        name = f"{number:03d}.{'png' if number % 3 else 'jpg'}"
        cv2.imwrite(str(root / name), image)
        split = "train" if person < 7 else "validation" if person < 10 else "test"
        who = "" if number == 9 else f"{(person * 5) % PEOPLE}"
        rows.append((name, who, "south" if person % 2 else "north", split, "CC0"))
        if split == "train":
            people.setdefault(who, []).append((root / name).read_bytes())
    written(root / "faces.csv", rows)
    pack_shards(root / "faces.csv", root / "shards", shard_mb=40_960 / 2**20)
    known = [row for row in rows[1:] if row[3] == "train" and row[1]]
    numbered = sorted(people.items(), key=lambda item: int(item[0]) if item[0] else 99)
    write_face_rec(root / "train.rec", [images for who, images in numbered if who])
    order = {who: place for place, (who, _) in enumerate(numbered)}
    known.sort(key=lambda row: order[row[1]])
    written(root / "train.csv", [rows[0], *((row[0], str(order[row[1]]), *row[2:]) for row in known)])
    return root


def config(data, **embedding):
    return load_config(
        {
            "task": "embedding", "data": str(data), "size_px": 32, "backbone": "mobilefacenet",
            "weights": "none", "embedding": {"size": 16, **embedding},
        }
    )  # fmt: skip


def with_protocol(data):
    protocol = {"name": "others", "data": "others.bin"}
    return config(data, protocols=[protocol], best_by="others")


def batches(part, augment, *, start=0, workers=0, resident=False, balanced=False):
    run = SimpleNamespace(
        config=SimpleNamespace(
            seed=3, workers=workers, low_resolution=0.0, low_resolution_scale=(0.25, 0.75)
        ),
        train=part,
        preprocessor=Preprocessor(SPEC),
        device=torch.device("cpu"),
        channels_last=True,
        net=SimpleNamespace(n_frozen=0),
        fabric=SimpleNamespace(autocast=nullcontext),
        log=SimpleNamespace(say=lambda text: None),
        facts={"resident": resident},
    )
    steps = Steps(len(part), 8, accumulate=1, seed=3, start=start, stop=7)
    if balanced:
        steps = IdentityBatches(part.raw, 3, 2, seed=3, start=start, stop=7)
    return [(batch.inputs, batch.targets, batch.known) for batch in picture_feed(run, 32, augment)(steps)]


def assert_same(some, others):
    assert len(some) == len(others) > 0
    for one, other in zip(some, others, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("augment", ["none", "field"])
@pytest.mark.parametrize(("files", "packed"), [("faces.csv", "shards"), ("train.csv", "train.rec")])
def test_batches_are_those_of_the_files_bit_for_bit(folder, files, packed, augment):
    several = files == "faces.csv"
    ours, theirs = (parts(config(folder / n) if several else with_protocol(folder / n))[0]
                    for n in (packed, files))  # fmt: skip
    assert len(ours) == len(theirs) == 27
    spec = PRESETS[augment]
    whole = batches(theirs, spec)
    assert_same(batches(ours, spec), whole)
    assert_same(batches(ours, spec, start=4), whole[4:])
    assert_same(batches(ours, spec, workers=2, start=2), whole[2:])
    assert_same(batches(ours, spec, balanced=True), batches(theirs, spec, balanced=True))


def test_resident_pictures_are_those_of_the_files(folder):
    ours, theirs = (parts(config(folder / name))[0] for name in ("shards", "faces.csv"))
    assert_same(*(batches(part, AugmentSpec(hflip=0.5), resident=True) for part in (ours, theirs)))


def test_shards_have_the_splits_columns_and_people_of_their_manifest(folder):
    packed, manifest = open_data(folder / "shards"), read_manifest(folder / "faces.csv")
    assert splits_of(packed) == splits_of(manifest) == {"train", "val", "test"}
    for name in ("train", "valid", "test"):
        ours, theirs = packed.split(name), manifest.split(name)
        np.testing.assert_array_equal(identities(ours, "identity"), identities(theirs, "identity"))
        facts = [[(r.split, r.group_id, r.licence, r.extra) for r in part.rows] for part in (ours, theirs)]
        assert facts[0] == facts[1]
        assert [ours.file(row) for row in ours.rows] == [theirs.file(r).read_bytes() for r in theirs.rows]
    assert (packed.path, len(packed)) == (folder / "shards" / "faces.index.json", PEOPLE * EACH)


def test_a_rec_is_all_training_data_where_a_protocol_chooses(folder):
    train, val, manifest = parts(with_protocol(folder / "train.rec"))
    assert (len(train), len(val), len(val.known)) == (27, 0, 0)
    assert manifest.path == folder / "train.rec"
    assert sorted(np.unique(train.raw)) == list(range(7))
    with pytest.raises(DataError, match=r"\.rec has no split 'val' to validate on: .*embedding\.best_by"):
        parts(config(folder / "train.rec"))


def test_a_manifest_without_splits_is_treated_alike(folder, tmp_path):
    with open(folder / "train.csv", newline="") as stream:
        rows = [row[:2] for row in csv.reader(stream)]
    bare = written(folder / "bare.csv", rows)
    train, val, _ = parts(with_protocol(bare))
    assert (len(train), len(val)) == (27, 0)
    with pytest.raises(DataError, match=r"bare\.csv has no split 'val' to validate on: expected a column"):
        parts(config(bare))


def test_other_columns_are_found_when_they_are_asked_for(folder, tmp_path):
    names = (f"{i:03d}.{'png' if i % 3 else 'jpg'}" for i in range(9))
    rows = [("path", "who", "camp"), *((name, f"w{i % 3}", "c") for i, name in enumerate(names))]
    index = pack_shards(written(folder / "who.csv", rows), tmp_path / "who")
    data = open_data(index, ("camp",), identity="who")
    assert [row.extra for row in data.rows[:2]] == [{"who": "w0", "camp": "c"}, {"who": "w1", "camp": "c"}]
    with pytest.raises(DataError, match=r"who\.index\.json has no column identity: got path, who, camp"):
        open_data(tmp_path / "who")
    with pytest.raises(DataError, match=r"train\.rec has no column who: got identity; use identity"):
        open_data(folder / "train.rec", identity="who")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "dev"}, r"faces\.index\.json: split: expected train, val or test, got dev"),
        ({"identity": "0", "split": "test"}, "1 groups stand in several splits, the first is '0'"),
    ],
)
def test_wrong_rows_are_refused_as_in_a_manifest(folder, tmp_path, changes, message):
    with open(folder / "faces.csv", newline="") as stream:
        rows = list(csv.DictReader(stream))
    rows[-1] |= changes
    file = written(folder / "faces2.csv", [list(rows[0]), *(list(row.values()) for row in rows)])
    index = pack_shards(file, tmp_path / "out", name="faces")
    with pytest.raises(DataError, match=message):
        parts(config(index))


def test_what_cannot_be_is_one_line(folder, tmp_path):
    with pytest.raises(DataError, match=r"holds no set of pictures: expected one NAME\.rec, .*got neither"):
        open_data(tmp_path)
    with pytest.raises(ConfigError, match="holds packed pictures, which only face training reads"):
        parts(load_config({"task": "classification", "data": str(folder / "train.rec")}))
    with pytest.raises(DataError, match="has no split 'test'"):
        open_data(folder / "train.rec").split("test")
    with pytest.raises(DataError, match=r"cannot read .*gone\.rec"):
        open_data(tmp_path / "gone.rec")


# --- damage -------------------------------------------------------------------------------------------------


def test_a_damaged_record_is_named(folder, tmp_path):
    data = bytearray((folder / "train.rec").read_bytes())
    (tmp_path / "t.idx").write_bytes((folder / "train.idx").read_bytes())
    (tmp_path / "t.rec").write_bytes(data)
    lines = [line.split() for line in (tmp_path / "t.idx").read_text().splitlines()]
    starts = {int(key): int(offset) for key, offset in lines}
    data[starts[6] + 32 : starts[6] + 60] = bytes(28)  # behind frame and header: the picture's first bytes
    data[starts[8]] ^= 255
    (tmp_path / "t.rec").write_bytes(data)
    source = open_pictures(tmp_path)  # the folder's only .rec
    with pytest.raises(DataError, match=r"t\.rec: record 6: "):
        source.read(5)
    with pytest.raises(DataError, match=r"t\.rec: record 8: no record starts here"):
        source.read(7)


@pytest.fixture
def shards(folder, tmp_path):
    return pack_shards(folder / "faces.csv", tmp_path / "set", shard_mb=40_960 / 2**20)


def test_damaged_shards_are_named(shards):
    rows = read_rows(shards)
    file = shards.parent / rows.index.shards[0].file
    good = file.read_bytes()
    at = int(rows.offsets[1])
    file.write_bytes(good[:at] + bytes(20) + good[at + 20 :])
    with pytest.raises(DataError, match=r"faces-000000\.tar: sample 000000001: "):
        ShardPictures(shards).read(1)
    file.write_bytes(good[: at - 512] + bytes(20) + good[at - 492 :])
    with pytest.raises(DataError, match=r"sample 000000001: expected a picture of \d+ bytes, got a header"):
        ShardPictures(shards).read(1)
    source = ShardPictures(shards)
    file.write_bytes(good[: at + 5])
    with pytest.raises(DataError, match=r"sample 000000001: expected .* got the end of the file"):
        source.read(1)
    with pytest.raises(DataError, match=r"faces-000000\.tar: expected \d+ bytes as in the index, got"):
        ShardPictures(shards)
    file.unlink()
    with pytest.raises(DataError, match=r"cannot read .*faces-000000\.tar"):
        ShardPictures(shards)


# --- the arrays beside the shards ---------------------------------------------------------------------------


def same_rows(one, other):
    assert one.columns.keys() == other.columns.keys()
    pairs = [(one.offsets, other.offsets), (one.sizes, other.sizes)]
    pairs += [(column.codes, other.columns[name].codes) for name, column in one.columns.items()]
    return all(np.array_equal(a, b) for a, b in pairs) and all(
        column.names == other.columns[name].names for name, column in one.columns.items()
    )


def test_packing_leaves_the_rows_which_are_believed_only_while_they_fit(shards):
    file = shards.parent / "faces.rows.npz"
    good, whole = file.read_bytes(), read_rows(shards)
    assert set(whole.columns) == {"identity", "group", "split", "licence"}
    for wrong in (b"", good[: len(good) // 2], good.replace(b'"CC0"', b'"CC1"'), b"x" * 100):
        file.write_bytes(wrong)
        assert same_rows(read_rows(shards), whole)
        assert file.read_bytes() == good, "written anew"
    file.unlink()
    assert same_rows(read_rows(shards), whole)
    index = json.loads(shards.read_text())
    index["shards"][0]["sha256"] = "0" * 64
    shards.write_text(json.dumps(index))
    other = read_rows(shards)
    assert other.sha256 != whole.sha256
    assert file.read_bytes() != good


def test_a_folder_that_cannot_be_written_is_read_all_the_same(shards, monkeypatch):
    whole = read_rows(shards)
    (shards.parent / "faces.rows.npz").unlink()

    def refuse(path, data):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("vnvision.atomic.write_bytes", refuse)
    assert same_rows(read_rows(shards), whole)
    assert not (shards.parent / "faces.rows.npz").exists()


def test_more_columns_are_added_to_what_is_there(shards):
    assert "path" not in read_rows(shards).columns
    both = read_rows(shards, ("path",))
    assert both.columns["path"].names[:2] == ("000.jpg", "001.png")
    assert same_rows(read_rows(shards), both), "kept for those who ask for fewer"


# --- size, and other processes ------------------------------------------------------------------------------


def test_no_row_costs_an_object(folder):
    """Arrays alone: what a set takes grows by the bytes of a row's numbers."""
    for name, limit in (("shards", 24), ("train.rec", 48)):
        packed = open_data(folder / name)
        source = packed.source
        arrays = [packed.chosen, *(column.codes for column in source.columns.values())]
        holders = [source, getattr(source, "_reader", None)]
        arrays += [v for h in holders if h for v in vars(h).values() if isinstance(v, np.ndarray)]
        per_row = {id(a): a.nbytes / len(packed) for a in arrays if len(a) >= len(packed)}
        assert 0 < sum(per_row.values()) <= limit


def test_a_set_goes_to_other_processes_unopened(folder):
    for name in ("shards", "train.rec"):
        packed = open_data(folder / name).where([5, 2])
        first = packed.image(0)
        other = pickle.loads(pickle.dumps(packed))
        assert isinstance(other, PackedSet)
        np.testing.assert_array_equal(other.image(0), first)
        assert [row.extra["identity"] for row in other.rows] == [r.extra["identity"] for r in packed.rows]


def test_the_digest_tells_sets_apart(folder, tmp_path):
    def packed(people, name):
        return open_pictures(write_face_rec(tmp_path / name, people)).sha256

    one, two = (b"\x89PNG" + bytes([i]) * 20 for i in range(2))
    assert packed([[one], [two]], "a.rec") == packed([[one], [two]], "b.rec")
    assert (
        len({packed([[one], [two]], "c.rec"), packed([[one, two], []], "d.rec"), packed([[one]], "e.rec")})
        == 3
    )


def test_keys_in_any_order_are_found(folder, tmp_path):
    lines = (folder / "train.idx").read_text().splitlines()
    (tmp_path / "t.rec").write_bytes((folder / "train.rec").read_bytes())
    (tmp_path / "t.idx").write_text("\n".join(lines[::-1]) + "\n")
    there, here = RecordReader(folder / "train.rec"), RecordReader(tmp_path / "t.rec")
    assert all(there.read(key) == here.read(key) for key in there.keys.tolist())


def test_coded_columns():
    column = Coded.of(["b", "", "10", "b", "9"])
    assert [column.text(i) for i in range(5)] == ["b", "", "10", "b", "9"]
    assert column.by_name().tolist() == [2, -1, 0, 2, 1]
    assert column.take(np.array([4, 1, 0])).by_name().tolist() == [0, -1, 1], "only values that occur count"
    assert Coded.of([""]).by_name().tolist() == [-1]
