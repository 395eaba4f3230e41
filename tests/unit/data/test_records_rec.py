"""RecordIO against the format written out word by word; damaged files; face sets; the importer."""

import pickle
import struct

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vnvision.data.importers import import_data
from vnvision.data.manifest import read_manifest
from vnvision.data.records.face_rec import read_keys, write_face_rec
from vnvision.data.records.files import StagedFile
from vnvision.data.records.rec import RecordReader, RecordWriter
from vnvision.data.records.rec_index import read_index
from vnvision.data.records.recordio import ImageRecord, frame, pack_image, unframe, unpack_image
from vnvision.data.records.sources import RecordPictures
from vnvision.errors import DataError

WORD = bytes([0x0A, 0x23, 0xD7, 0xCE])  # 0xced7230a, little-endian


def framed_word_by_word(payload):
    """The format as it is defined: split at every aligned word that is the magic, which is left out."""
    parts, current = [], b""
    whole = len(payload) // 4 * 4
    for at in range(0, whole, 4):
        if payload[at : at + 4] == WORD:
            parts.append(current)
            current = b""
        else:
            current += payload[at : at + 4]
    parts.append(current + payload[whole:])
    out = b""
    for i, part in enumerate(parts):
        flag = 0 if len(parts) == 1 else 1 if i == 0 else 3 if i == len(parts) - 1 else 2
        out += (
            WORD + ((flag << 29) | len(part)).to_bytes(4, "little") + part + b"\0" * ((4 - len(part) % 4) % 4)
        )
    return out


def reads(data):
    return lambda offset, length: data[offset : offset + length]


pieces = st.lists(st.one_of(st.just(WORD), st.binary(max_size=9), st.just(WORD[:2])), max_size=12)


@settings(max_examples=300, deadline=None)
@given(pieces.map(b"".join))
def test_framing_is_the_format_and_is_undone(payload):
    data = frame(payload)
    assert data == framed_word_by_word(payload)
    assert unframe(reads(b"1234" + data), 4, 4 + len(data), "x") == (payload, 4 + len(data))


@pytest.mark.parametrize(
    ("payload", "flags"),
    [
        (b"", [0]),
        (b"abc", [0]),
        (WORD, [1, 3]),
        (b"1" + WORD, [0]),
        (WORD + b"ab" * 2 + WORD + b"c", [1, 2, 3]),
    ],
)
def test_flags_of_parts(payload, flags):
    data, found, at = frame(payload), [], 0
    while at < len(data):
        magic, word = struct.unpack_from("<II", data, at)
        assert magic == 0xCED7230A
        found.append(word >> 29)
        length = word & (2**29 - 1)
        at += 8 + (length + 3) // 4 * 4
    assert found == flags


def test_the_header_of_an_image_is_mxnets():
    one = pack_image(ImageRecord(np.array([7.0]), 41, b"jpeg"))
    assert one == struct.pack("<IfQQ", 0, 7.0, 41, 0) + b"jpeg"
    two = pack_image(ImageRecord(np.array([3.0, 9.0]), 5, b"x", id2=2, flag=2))
    assert two == struct.pack("<IfQQ", 2, 0.0, 5, 2) + struct.pack("<ff", 3, 9) + b"x"
    back = unpack_image(two, "here")
    assert (back.label.tolist(), back.id, back.id2, back.data, back.flag) == ([3.0, 9.0], 5, 2, b"x", 2)


def test_wrong_headers_are_refused():
    with pytest.raises(DataError, match="a record's label: expected 2 numbers, got 1"):
        pack_image(ImageRecord(np.array([1.0]), 1, b"", flag=2))
    with pytest.raises(DataError, match="a record's id: expected 0 or more, got -1"):
        pack_image(ImageRecord(np.array([1.0]), -1, b""))
    with pytest.raises(DataError, match="here has no image header: expected 24 bytes, got 3"):
        unpack_image(b"abc", "here")
    with pytest.raises(DataError, match="here: its label is longer than the record: got 9 numbers"):
        unpack_image(struct.pack("<IfQQ", 9, 0, 0, 0) + b"1234", "here")


@pytest.fixture
def rec(tmp_path):
    """Keys out of order, one payload with the magic word."""
    payloads = {3: b"three", 0: b"zero" * 50, 7: WORD * 3, 5: b""}
    with RecordWriter(tmp_path / "a.rec") as writer:
        for key, payload in payloads.items():
            writer.write(key, payload)
    return tmp_path / "a.rec", payloads


def test_records_by_key_with_and_without_an_index(rec):
    path, payloads = rec
    reader = RecordReader(path)
    assert {key: reader.read(key) for key in payloads} == payloads
    assert reader.keys.tolist() == [3, 0, 7, 5]
    assert path.with_suffix(".idx").read_text().splitlines()[0] == "3\t0"
    path.with_suffix(".idx").unlink()
    assert [RecordReader(path).read(i) for i in range(4)] == list(payloads.values())
    with pytest.raises(DataError, match=r"a\.rec has no record 4: expected one of 4 keys"):
        reader.read(4)


def test_a_reader_can_be_sent_to_another_process(rec):
    path, payloads = rec
    reader = RecordReader(path)
    reader.read(3)
    other = pickle.loads(pickle.dumps(reader))
    reader.close()
    assert {key: other.read(key) for key in payloads} == payloads
    assert reader.read(3) == b"three", "it opens again"


def test_nothing_is_left_of_a_writer_that_failed(tmp_path):
    def twice():
        with RecordWriter(tmp_path / "b.rec") as writer:
            writer.write(1, b"x")
            writer.write(1, b"y")

    with pytest.raises(DataError, match=r"b\.rec: key 1 was used twice: expected each key once"):
        twice()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "c.idx").write_text("")
    with pytest.raises(DataError, match=r"c\.idx exists: expected a new file"):
        RecordWriter(tmp_path / "c.rec")


def test_a_file_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write"):
        StagedFile(tmp_path / "file" / "x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0\t0\n1\n", "is no index: expected two whole numbers a line, got other text from line 1 on"),
        ("a\tb\n", "is no index: expected two whole numbers a line"),
        ("0\t2\n", r"line 1 does not fit the \.rec: expected a key, and a multiple of 4 below \d+, got 0 2"),
        ("0\t0\n1\t99999996\n", "line 2 does not fit"),
        ("0\t0\n0\t0\n", "has a key twice"),
        ("0 0 1 0\n", "is no index: expected two whole numbers a line"),
        ("0\t99999999999999999999999\n", "is no index"),
    ],
)
def test_damaged_indices(rec, text, message):
    path, _ = rec
    path.with_suffix(".idx").write_text(text)
    with pytest.raises(DataError, match=message):
        RecordReader(path)


def test_a_long_index_is_read_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr("vnvision.data.records.rec_index._CHUNK", 50)
    rng = np.random.default_rng(0)
    keys, offsets = rng.permutation(10**6)[:1000], 4 * rng.integers(0, 10**15, 1000)
    for end, last in (("\n", "\n"), ("\r\n", "")):
        text = end.join(f"{k}\t{o}" for k, o in zip(keys, offsets, strict=True)) + last
        (tmp_path / "a.idx").write_bytes(text.encode())
        found = read_index(tmp_path / "a.idx", 4 * 10**15)
        np.testing.assert_array_equal(found, [keys, offsets])


def test_damaged_records_are_named(rec):
    path, _ = rec
    data = path.read_bytes()
    path.write_bytes(b"XXXX" + data[4:])
    with pytest.raises(
        DataError, match=r"record 3: no record starts here: expected 0xced7230a, got 0x58585858"
    ):
        RecordReader(path).read(3)
    path.write_bytes(data[:-1])
    starts = [int(line.split()[1]) for line in path.with_suffix(".idx").read_text().splitlines()]
    path.write_bytes(data[: starts[1] + 20])
    path.with_suffix(".idx").write_text(f"0\t{starts[1]}\n")
    with pytest.raises(DataError, match="record 0 is cut short: expected 200 bytes, got 12"):
        RecordReader(path).read(0)
    path.write_bytes(data)
    path.with_suffix(".idx").write_text(f"7\t{starts[2] + 8}\n")  # in the middle of a split record
    with pytest.raises(DataError, match=r"record 7: its parts are out of order: got flag 2 at byte \d+"):
        RecordReader(path).read(7)


def jpeg(value, kind=".jpg"):
    return cv2.imencode(kind, np.full((112, 112, 3), value, np.uint8))[1].tobytes()


@pytest.fixture
def faces(tmp_path):
    people = [[jpeg(20), jpeg(30)], [jpeg(100)], [jpeg(150), jpeg(160), jpeg(170)]]
    return write_face_rec(tmp_path / "set" / "train.rec", people), people


def test_a_face_set_has_insightfaces_header(faces):
    path, people = faces
    reader = RecordReader(path)
    assert len(reader) == 1 + 6 + 3
    header = reader.record(0)
    assert (header.flag, header.label.tolist()) == (2, [7.0, 10.0])  # identity records 7, 8, 9
    assert [reader.record(k).label.tolist() for k in (7, 8, 9)] == [[1.0, 3.0], [3.0, 4.0], [4.0, 7.0]]
    found = read_keys(reader)
    assert found.keys.tolist() == [1, 2, 3, 4, 5, 6]
    assert found.identities.tolist() == [0, 0, 1, 2, 2, 2]
    assert [reader.record(k).data for k in range(1, 7)] == [image for some in people for image in some]


def test_a_set_without_a_header_is_images_only(tmp_path):
    with RecordWriter(tmp_path / "a.rec") as writer:
        for key, label in ((0, 4.0), (1, 4.0), (2, 9.0)):
            writer.write_image(key, ImageRecord(np.array([label]), key, jpeg(50)))
    source = RecordPictures(tmp_path / "a.rec")
    assert source.names == ("4", "9")
    assert source.codes.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ([7.0, 99.0], "record 0: expected the range of the identity records, got 7..99"),
        ([7.5, 9.0], r"record 0: expected a range of keys as its label, got \[7.5, 9.0\]"),
        ([9.0, 7.0], "record 0: expected a range of keys"),
        ([7.0, 9.0, 1.0], "record 0: expected a range of keys"),
        ([5.0, 8.0], "record 5: expected a range of keys as its label"),
    ],
)
def test_headers_that_do_not_fit_are_refused(tmp_path, faces, label, message):
    reader = RecordReader(faces[0])
    with RecordWriter(tmp_path / "bad.rec") as writer:
        writer.write_image(0, ImageRecord(np.array(label), 0, b"", flag=len(label)))
        for key in range(1, 10):
            writer.write(key, reader.read(key))
    with pytest.raises(DataError, match=message):
        read_keys(RecordReader(tmp_path / "bad.rec"))


def test_labels_must_be_whole_numbers(tmp_path):
    with RecordWriter(tmp_path / "a.rec") as writer:
        writer.write_image(0, ImageRecord(np.array([0.5]), 0, b""))
    with pytest.raises(DataError, match=r"record 0: its label: expected a whole number from 0, got 0\.5"):
        RecordPictures(tmp_path / "a.rec")
    with pytest.raises(DataError, match=r"nothing to write: expected one image or more"):
        write_face_rec(tmp_path / "none.rec", [[], []])
    assert not (tmp_path / "none.rec").exists()


def test_importing_a_rec_keeps_the_bytes(faces, tmp_path):
    path, people = faces
    out = import_data(path, tmp_path / "out", licence="CC0", consent="given")
    manifest = read_manifest(out)
    assert [row.extra["identity"] for row in manifest.rows] == ["0", "0", "1", "2", "2", "2"]
    assert [row.group_id for row in manifest.rows] == ["0", "0", "1", "2", "2", "2"]
    assert [manifest.file(row).read_bytes() for row in manifest.rows] == [i for some in people for i in some]
    assert manifest.rows[0].path == "images/000000/000000001.jpg"
    assert all(row.sha256 for row in manifest.rows)
    with pytest.raises(DataError, match="images exists"):
        import_data(path, tmp_path / "out")


def test_importing_a_rec_with_something_else_in_it_names_the_record(tmp_path):
    path = write_face_rec(tmp_path / "t.rec", [[jpeg(9), b"no image"]])
    with pytest.raises(DataError, match=r"t\.rec: record 2 holds no image: expected JPEG, PNG"):
        import_data(path, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_importing_folders_of_people(tmp_path):
    for name in ("An", "Bình"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jpg").write_bytes(jpeg(7))
    manifest = read_manifest(import_data(tmp_path, tmp_path, kind="people"))
    assert [(r.extra["identity"], r.group_id, r.label) for r in manifest.rows] == [
        ("An", "An", None),
        ("Bình", "Bình", None),
    ]


def test_damaged_files_raise_our_errors_only(faces, tmp_path):
    rng = np.random.default_rng(0)
    clean, index = faces[0].read_bytes(), faces[0].with_suffix(".idx").read_bytes()
    outcomes = {"error": 0, "read": 0}
    for trial in range(400):
        data = bytearray(clean)
        text = bytearray(index)
        for target in (data, text) if trial % 4 == 0 else (data,):
            for _ in range(int(rng.integers(1, 4))):
                # headers are small: most of the damage goes where it hurts
                at = int(rng.integers(min(len(target), 64 if rng.random() < 0.5 else len(target))))
                target[at] = int(rng.integers(256))
        cut = int(rng.integers(len(data))) if trial % 5 == 0 else len(data)
        folder = tmp_path / "fuzz"
        folder.mkdir(exist_ok=True)
        (folder / "f.rec").write_bytes(data[:cut])
        (folder / "f.idx").write_bytes(text)
        if trial % 3 == 0:
            (folder / "f.idx").unlink()
        try:
            source = RecordPictures(folder / "f.rec")
            for i in range(len(source)):
                source.read(i)
            outcomes["read"] += 1
        except DataError:
            outcomes["error"] += 1
    assert outcomes["error"] > 100, outcomes
