from __future__ import annotations

import cv2
import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import balanced_accuracy_score

from vnvision.data.manifest import Row, read_manifest, write_manifest
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate import shortcut_texts
from vnvision.evaluate import shortcut_views as poor
from vnvision.evaluate.shortcut_files import FACTS, file_facts, jpeg_quality
from vnvision.evaluate.shortcut_fit import fit_predict, shuffled
from vnvision.evaluate.shortcut_rows import Masks, collect
from vnvision.evaluate.shortcuts import ShortcutReport, probe_shortcuts, probe_views
from vnvision.records import Metric

N, SIDE = 180, 48


def scene(rng, tone=128):
    """A noisy picture of one tone."""
    return np.clip(rng.normal(tone, 25, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def write_set(
    folder, paint, *, labels=("a", "b"), quality=None, seed=0, extra=None, multilabel=False, suffix="jpg"
):
    """N pictures in groups of three, two thirds for training; ``paint(rng, image, label index)`` draws."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for i in range(N):
        group = i // 3
        kind = group % len(labels)
        image = paint(rng, scene(rng), kind)
        path = f"{i:03}.{suffix}"
        setting = 90 if quality is None else quality[kind]
        cv2.imwrite(str(folder / path), image, [cv2.IMWRITE_JPEG_QUALITY, setting])
        row = {"label": labels[kind]}
        if multilabel:
            row = {"labels": {"a": int(kind == 0), "b": None if group % 5 == 0 else int(rng.random() < 0.5)}}
        cells = {} if extra is None else extra(folder, rng, i, kind)
        split = "train" if i < 120 else "val"
        rows.append(Row(0, path, **row, split=split, group_id=f"g{group}", extra=cells))
    return read_manifest(write_manifest(rows, folder / "manifest.csv"))


def nothing(rng, image, kind):
    return image


def framed(rng, image, kind):
    """The class is in the brightness of a frame of three pixels, in nine of ten pictures."""
    kind = kind if rng.random() < 0.9 else 1 - kind
    ring = np.ones((SIDE, SIDE), bool)
    ring[3:-3, 3:-3] = False
    image[ring] = np.clip(image[ring] + (40.0 if kind else -40.0), 0, 255).astype(np.uint8)
    return image


def centred(rng, image, kind):
    """The class is in the middle only, as a disease would be: bright or dark stripes, the same mean."""
    part = image[16:32, 16:32].astype(float)
    part[:, ::2] += 60 if kind else -60
    part[:, 1::2] -= 60 if kind else -60
    image[16:32, 16:32] = np.clip(part, 0, 255)
    return image


def verdicts(report):
    return {row.view: row.verdict for row in report.rows}


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return probe_shortcuts(write_set(tmp_path_factory.mktemp("planted"), framed), n_boot=300)


def test_a_label_in_the_border_is_flagged(planted):
    found = verdicts(planted)
    assert found["border"] == "strong"
    assert found["corners"] == "strong"
    assert found["background"] == "strong"
    assert found["metadata"] != "strong"
    row = next(row for row in planted.rows if row.view == "border")
    assert 0.8 < row.balanced_accuracy.value < 0.98
    assert row.balanced_accuracy.low > 0.7
    assert row.auroc.value > 0.8
    assert "border" in planted.flagged
    assert (planted.n_train, planted.n, planted.n_groups) == (120, 60, 20)
    assert (planted.train, planted.test) == ("train", "val")
    assert ShortcutReport.from_json(planted.to_json()) == planted


def test_a_label_in_the_subject_alone_is_not(tmp_path):
    report = probe_shortcuts(write_set(tmp_path, centred), n_boot=300)
    assert report.flagged == ()
    assert set(verdicts(report).values()) == {"none"}


def test_nothing_to_find_gives_chance_in_every_view(tmp_path):
    report = probe_shortcuts(write_set(tmp_path, nothing, labels=("a", "b", "c")), n_boot=300)
    assert report.flagged == ()
    for row in report.rows:
        assert row.chance == pytest.approx(1 / 3)
        assert row.balanced_accuracy.value == pytest.approx(1 / 3, abs=0.2)


def test_with_shuffled_labels_the_probe_is_at_chance(planted):
    for row in planted.rows:
        assert row.shuffled == pytest.approx(0.5, abs=0.08)
        assert row.shuffled_high < 0.8
        assert row.shuffled_high >= row.shuffled


def test_a_shuffled_manifest_flags_nothing(tmp_path, planted):
    """The very pictures of the planted set, their labels dealt out again between groups."""
    manifest = write_set(tmp_path, framed)
    rng = np.random.default_rng(3)
    new = {f"g{i}": "ab"[k] for i, k in enumerate(rng.permutation(np.arange(60) % 2))}
    rows = [Row(0, r.path, label=new[r.group_id], split=r.split, group_id=r.group_id) for r in manifest.rows]
    report = probe_shortcuts(read_manifest(write_manifest(rows, tmp_path / "shuffled.csv")), n_boot=300)
    assert report.flagged == ()


def test_the_file_alone_gives_away_what_was_saved_otherwise(tmp_path):
    report = probe_shortcuts(write_set(tmp_path, nothing, quality=(70, 92)), n_boot=300)
    assert verdicts(report)["metadata"] == "strong"
    assert verdicts(report)["border"] == "none"


def test_sixteen_bits_and_grey_are_probed(tmp_path):
    manifest = write_set(tmp_path, nothing)
    rng = np.random.default_rng(0)
    for i, row in enumerate(manifest.rows):
        deep = rng.integers(0, 2**14, (SIDE, SIDE)) + (2**14 if row.label == "b" else 0)
        path = tmp_path / row.path.replace("jpg", "png")
        cv2.imwrite(str(path), deep.astype(np.uint16))
        assert i < N
    rows = [
        Row(0, r.path.replace("jpg", "png"), label=r.label, split=r.split, group_id=r.group_id)
        for r in manifest.rows
    ]
    report = probe_shortcuts(read_manifest(write_manifest(rows, tmp_path / "deep.csv")), n_boot=200)
    assert verdicts(report)["exposure"] == "strong"


def test_multi_label_columns_are_probed_one_by_one(tmp_path):
    report = probe_shortcuts(write_set(tmp_path, framed, multilabel=True), views=("border",), n_boot=200)
    row = report.rows[0]
    assert report.labels == ("a", "b")
    assert row.chance == 0.5
    assert 0.6 < row.balanced_accuracy.value < 0.95  # one label plain, the other a coin


def masks(folder, rng, i, kind):
    """A disc on the picture; every ninth holds nothing."""
    if i % 9 == 0:
        return {"mask": "none"}
    mask = cv2.circle(np.zeros((SIDE, SIDE), np.uint8), (24, 24), 14, 1, cv2.FILLED)
    cv2.imwrite(str(folder / f"m{i:03}.png"), mask)
    return {"mask": f"m{i:03}.png"}


def test_known_masks_take_the_subject_away(tmp_path):
    """The class is the tone of the disc that the masks hold: outside them it is gone."""

    def disc(rng, image, kind):
        tone = int(rng.normal(160 if kind else 90, 20))
        cv2.circle(image, (24, 24), 10, (tone, tone, tone), cv2.FILLED)
        return image

    report = probe_shortcuts(
        write_set(tmp_path, disc, extra=masks, suffix="png"), views=("background", "exposure"), n_boot=200
    )
    rows = {row.view: row for row in report.rows}
    assert rows["background"].cover == "mask"
    assert rows["exposure"].verdict == "strong"
    # Rows whose mask holds nothing borrow one; all of them hold the disc, so nothing is left to see.
    assert rows["background"].verdict == "none"


def test_a_row_whose_mask_holds_nothing_borrows_another(tmp_path):
    manifest = write_set(tmp_path, nothing, extra=masks)
    found = Masks(manifest)
    assert found.known
    assert found.of(manifest.rows[0], (SIDE, SIDE)).any()
    some = read_manifest(
        write_manifest([*manifest.rows[:3], Row(0, "x.jpg", label="a")], tmp_path / "some.csv")
    )
    assert not Masks(some).known


def test_an_object_on_a_plain_ground_is_cut_out(tmp_path):
    def leaf(rng, image, kind):
        image[:] = rng.integers(215, 235)
        centre = (int(rng.integers(18, 30)), int(rng.integers(18, 30)))
        colour = (40, int(rng.normal(160 if kind else 80, 25)), 40)
        cv2.ellipse(image, (centre, (26, 16), float(rng.uniform(0, 180))), colour, cv2.FILLED)
        return image

    report = probe_shortcuts(
        write_set(tmp_path, leaf, suffix="png"), views=("background", "exposure"), n_boot=200
    )
    rows = {row.view: row for row in report.rows}
    assert rows["background"].cover == "object"
    assert rows["background"].verdict == "none"
    assert rows["exposure"].verdict == "strong"


def test_what_the_views_keep():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (100, 160, 3), dtype=np.uint8)
    assert poor.thumbnail(image).shape == (64,)
    assert poor.exposure(image).shape == (16 + 6,)
    assert poor.border(image).shape == (36 * 3,)
    assert poor.corners(image).shape == (24 * 3,)
    shuffled_pixels = rng.permutation(image.reshape(-1, 3)).reshape(image.shape)
    assert np.allclose(poor.exposure(image), poor.exposure(shuffled_pixels))  # place is not kept
    middle = image.copy()
    middle[20:80, 30:130] = 0
    assert np.array_equal(poor.border(image), poor.border(middle))
    assert np.array_equal(poor.corners(image), poor.corners(middle))
    subject = poor.centre((100, 160))
    covered = np.where(subject[:, :, None] > 0, np.uint8(0), image)
    assert np.array_equal(poor.background(image, subject), poor.background(covered, subject))
    assert poor.background(image, subject).shape == (8 + 6 * 3,)
    assert poor.background(image, np.ones((100, 160), np.uint8)).size == 0


def test_the_outline_of_the_subject_does_not_show_in_an_even_background():
    image = np.full((64, 64, 3), 90, np.uint8)
    small, large = np.zeros((2, 64, 64), np.uint8)
    small[30:34, 30:34] = 1
    large[8:50, 12:60] = 1
    assert np.allclose(poor.background(image, small), poor.background(image, large), atol=1e-5)


@pytest.mark.parametrize("quality", [25, 35, 50, 75, 90, 97])
def test_jpeg_quality_is_read_from_its_table(tmp_path, quality):
    path = tmp_path / "a.jpg"
    Image.new("RGB", (40, 30), "grey").save(path, quality=quality, subsampling=0)
    facts = dict(zip(FACTS, file_facts(path, (30, 40), 3), strict=True))
    assert facts["JPEG quality"] == pytest.approx(quality, abs=1.5)
    assert facts["log aspect"] == pytest.approx(np.log(40 / 30))
    assert facts["log bytes"] == pytest.approx(np.log(path.stat().st_size))
    assert (facts["JPEG"], facts["PNG"], facts["EXIF"], facts["chroma subsampling"]) == (1, 0, 0, 1)
    assert jpeg_quality([]) == 0


def test_the_classifier_learns_chooses_within_training_and_keeps_groups_whole():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(3), 60)
    x = np.eye(3)[y] * 2 + rng.normal(size=(180, 3))
    groups = [str(i // 4) for i in range(180)]
    order = rng.permutation(180)
    p, used = fit_predict(x[order[:120]], y[order[:120]], groups[:120], x[order[120:]], 3)
    assert np.allclose(p.sum(axis=1), 1)
    assert len(used) == 1
    assert balanced_accuracy_score(y[order[120:]], p.argmax(1)) > 0.7
    only, _ = fit_predict(x[:50], y[:50], groups[:50], x[:5], 3)  # one class learned
    assert np.array_equal(only, np.tile([1.0, 0, 0], (5, 1)))


def test_shuffling_moves_whole_groups():
    groups = [f"g{i // 4}" for i in range(80)]
    targets = np.repeat(np.arange(20) % 2, 4)
    other = shuffled(targets, groups, 1)
    assert sorted(other) == sorted(targets)
    assert all(len(set(other[i : i + 4])) == 1 for i in range(0, 80, 4))
    assert not np.array_equal(other, targets)


def test_the_verdict_is_said_in_both_languages(planted):
    row = next(row for row in planted.rows if row.view == "border")
    assert row.says["en"].startswith("The border (outermost tenth) alone: balanced accuracy 0.")
    assert "do not believe" in row.says["en"].lower()
    assert "chance 0.50" in row.says["en"]
    assert "đừng tin" in row.says["vi"].lower()
    assert "đoán mò đạt 0,50" in row.says["vi"]
    assert planted.warnings == ("only 60 pictures in 20 groups to test on: intervals are wide, and a weak "
                                "shortcut may not show",)  # fmt: skip
    vi = shortcut_texts.warning(planted.warnings[0], "vi")
    assert vi.startswith("chỉ có 60 ảnh thuộc 20 nhóm")


@pytest.mark.parametrize(
    ("view", "cover", "wanted"),
    [
        ("exposure", None, "light and colour"),
        ("border", None, "reaches that far"),
        ("background", "centre", "reaches that far"),
        ("background", "object", "without looking at the subject"),
        ("metadata", None, "without looking at the subject"),
    ],
)
def test_a_strong_verdict_claims_no_more_than_the_view_shows(view, cover, wanted):
    text = shortcut_texts.VERDICTS[shortcut_texts.verdict_key(view, cover, "strong")][1]
    assert wanted in text.lower()
    assert shortcut_texts.verdict_key(view, cover, "some") == "some"


def test_the_test_split_is_looked_at_only_when_asked_and_says_so(tmp_path):
    manifest = write_set(tmp_path, nothing)
    with pytest.raises(DataError, match=r"has no split 'test'"):
        probe_shortcuts(manifest, test="test")
    rows = [
        Row(0, r.path, label=r.label, group_id=r.group_id, split="test" if r.split == "val" else r.split)
        for r in manifest.rows
    ]
    moved = read_manifest(write_manifest(rows, tmp_path / "moved.csv"))
    with pytest.raises(DataError, match=r"has no split 'val'"):
        probe_shortcuts(moved)
    report = probe_shortcuts(moved, test="test", views=("exposure",), n_boot=20)
    assert "this looked at the test split: note it down" in report.warnings


def test_a_model_stands_beside_the_probe(tmp_path):
    model = Metric(value=0.9, low=0.8, high=0.95, n=60)
    report = probe_shortcuts(write_set(tmp_path, nothing), views=("exposure",), model=model, n_boot=20)
    assert report.model == model


def test_wrong_input_is_named(tmp_path):
    manifest = write_set(tmp_path, nothing)
    with pytest.raises(ConfigError, match=r"views: expected thumbnail, exposure, .*, got smell"):
        probe_shortcuts(manifest, views=("border", "smell"))
    with pytest.raises(ConfigError, match=r"views: .* got none"):
        probe_shortcuts(manifest, views=())
    crossing = [Row(0, r.path, label=r.label, split=r.split, group_id="g") for r in manifest.rows]
    crossed = read_manifest(write_manifest(crossing, tmp_path / "crossed.csv"))
    with pytest.raises(
        DataError, match=r"1 groups lie in train and in val: expected groups kept apart, got g"
    ):
        probe_shortcuts(crossed)
    same = [Row(0, r.path, label="a", split=r.split, group_id=r.group_id) for r in manifest.rows]
    with pytest.raises(DataError, match=r"too few labels to probe: expected two or more"):
        probe_shortcuts(read_manifest(write_manifest(same, tmp_path / "same.csv")))
    with pytest.raises(DataError, match=r"expected 8 or 16 bits a channel, got float32"):
        poor.look(np.zeros((8, 8, 3), np.float32), None)
    (tmp_path / manifest.rows[5].path).write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"row 7 of manifest.csv: "):
        probe_shortcuts(manifest)


def test_views_that_were_taken_already_give_the_same_rows(tmp_path):
    manifest = write_set(tmp_path, framed)
    views = ("border", "background")
    learned = np.array([row.split == "train" for row in manifest.rows])
    rows = probe_views(collect(manifest, views), manifest, learned, n_boot=200)
    assert rows == probe_shortcuts(manifest, views=views, n_boot=200).rows
