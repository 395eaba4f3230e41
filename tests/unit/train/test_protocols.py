"""Face protocols: what is read, what is refused, and the figures of known embeddings."""

import csv

import cv2
import numpy as np
import pytest

from vnvision.data.records.bin_writer import write_bin
from vnvision.errors import DataError
from vnvision.imaging import Preprocessor
from vnvision.spec import PreprocessSpec
from vnvision.tasks.embedding import compared, embedded, face_figures
from vnvision.train.embedding_config import ProtocolConfig
from vnvision.train.protocols import bin_accuracy, load_protocol

READ = Preprocessor(PreprocessSpec(size_px=(16, 16)))


@pytest.fixture
def manifest(tmp_path):
    rows = [("path", "identity", "split", "group")]
    for number in range(6):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((20, 20, 3), 40 * number, np.uint8))
        who = f"p{number // 2}" if number < 4 else ""
        rows.append((f"{number}.png", who, "val", "north" if number < 2 else "south"))
    with open(tmp_path / "faces.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return str(tmp_path / "faces.csv")


def test_rows_and_columns_that_were_asked_for(manifest):
    protocol = ProtocolConfig(name="south", data=manifest, split="val", where=("group=south",), group="group")
    faces = load_protocol(protocol, READ, "identity")
    assert faces.crops.shape == (4, 16, 16, 3)
    assert faces.columns == {"identity": ("p1", "p1", "", ""), "group": ("south",) * 4}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"where": ("south",)}, "protocol one: a condition: expected COLUMN=VALUE, got south"),
        ({"where": ("group=west",)}, "column group has no value 'west'"),
        ({"split": "test"}, "has no split 'test'"),
    ],
)
def test_what_is_not_there(manifest, changes, message):
    with pytest.raises(DataError, match=message):
        load_protocol(ProtocolConfig(name="one", data=manifest, **changes), READ, "identity")


def test_a_set_without_names(manifest):
    with pytest.raises(DataError, match=r"protocol one: no row of .* names a person: expected a column who"):
        load_protocol(ProtocolConfig(name="one", data=manifest), READ, "who")


def test_a_bin_set(tmp_path):
    pictures = [cv2.imencode(".png", np.full((16, 16, 3), v, np.uint8))[1].tobytes() for v in (0, 9, 80, 200)]
    write_bin(pictures, [True, False], tmp_path / "pairs.bin")
    faces = load_protocol(ProtocolConfig(name="pairs", data=str(tmp_path / "pairs.bin")), READ, "identity")
    assert faces.crops[:, 0, 0, 0].tolist() == [0, 9, 80, 200]
    assert faces.same.tolist() == [True, False]


def test_accuracy_of_pairs_by_folds():
    """Twenty pairs at angle 0 or 90 degrees with one flag turned: one fold of ten loses one of its two."""
    unit = np.eye(2, dtype=np.float32)
    same = np.arange(20) % 2 == 0
    embeddings = np.concatenate([3 * unit[[0, 0 if alike else 1]] for alike in same])
    assert bin_accuracy(embeddings, same) == 1.0
    turned = same.copy()
    turned[7] = True
    assert bin_accuracy(embeddings, turned) == pytest.approx(0.95)


def test_figures_of_known_embeddings():
    """Two people in the north at 0 degrees apart within and 90 between; one of the south's pairs at 60."""
    angles = np.deg2rad([0, 0, 90, 90, 180, 240])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * 5
    columns = {
        "identity": ("a", "a", "b", "b", "c", "c"),
        "group": ("north", "north", "north", "north", "south", "south"),
    }
    figures = face_figures(compared(embedded(points, columns), fmr=0.01, group="group"))
    assert figures["tar"] == 1.0
    assert figures["eer"] == 0.0
    assert (figures["north_fnmr"], figures["north_fmr"], figures["south_fnmr"]) == (0.0, 0.0, 0.0)


def test_nothing_to_compare_is_the_worst_and_no_error():
    alone = embedded(np.eye(3), {"identity": ("a", "b", "c")})
    assert face_figures(compared(alone, fmr=0.1)) == {"tar": 0.0, "eer": 1.0}
