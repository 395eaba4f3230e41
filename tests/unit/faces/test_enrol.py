import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from planted import planted_engine, save, shot, template

pytest.importorskip("cryptography")

from vnvision.errors import ConfigError, DataError, ModelError
from vnvision.faces.enrol import enroll_pictures, open_gallery
from vnvision.faces.gallery import KEY_VARIABLE, Consent, Gallery, GalleryKey, create_key_file
from vnvision.faces.places import gallery_file, key_file, thresholds_file

pytestmark = pytest.mark.usefixtures("home", "good_quality")
posix = pytest.mark.skipif(os.name != "posix", reason="file modes")
LIMIT = 0.8


@pytest.fixture(scope="module")
def engine():
    return planted_engine()


def later(days=30):
    return datetime.now(UTC) + timedelta(days=days)


def enroll(engine, gallery, person, pictures, **options):
    terms = {
        "consent": Consent(given_by=person, given_at=datetime(2026, 1, 1, tzinfo=UTC), text="đồng ý"),
        "purpose": "door",
        "expires": later(),
    }
    return enroll_pictures(engine, gallery, person, pictures, **(terms | options))


def opened(engine, path=None, **options):
    return open_gallery(path, embedder=engine.embedder, **({"create": True} | options))


def who(engine, gallery, picture):
    (matches,) = engine.identify([picture], gallery, threshold=LIMIT)
    return [match.answer.person for match in matches]


def test_the_places_lie_under_the_home(home, monkeypatch, tmp_path):
    assert gallery_file() == home / "gallery" / "faces.db"
    assert key_file() == home / "gallery" / "faces.key"
    assert thresholds_file() == home / "face_thresholds.json"
    monkeypatch.delenv("VNVISION_HOME")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("LOCALAPPDATA", raising=False)
    assert gallery_file() == tmp_path / "xdg" / "vnvision" / "gallery" / "faces.db"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path / "me")
    assert gallery_file().parents[1] == tmp_path / "me" / ".local" / "share" / "vnvision"


@posix
def test_galleries_lie_beside_the_users_models(monkeypatch, tmp_path):
    from vnvision.hub import shelf

    for name in ("VNVISION_HOME", "VNVISION_MODELS", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, text, wanted in (
        ("LOCALAPPDATA", str(tmp_path / "windows"), tmp_path / ".local" / "share" / "vnvision"),
        ("VNVISION_HOME", "~/h", tmp_path / "h"),
    ):
        monkeypatch.setenv(name, text)
        assert gallery_file() == wanted / "gallery" / "faces.db"
        assert shelf.user_folder() == wanted / "models"


def test_a_new_gallery_comes_with_its_key(engine, home):
    with opened(engine) as gallery:
        enroll(engine, gallery, "an", [shot(1)])
    assert sorted(path.name for path in (home / "gallery").iterdir()) == ["faces.db", "faces.key"]
    key = key_file().read_text()
    with opened(engine) as gallery:
        assert who(engine, gallery, shot((1, 5))) == ["an"]
    assert key_file().read_text() == key, "opened again, the key stays"


@posix
def test_key_and_folder_are_the_owners_only(engine, home):
    opened(engine).close()
    assert key_file().stat().st_mode & 0o777 == 0o600
    assert (home / "gallery").stat().st_mode & 0o077 == 0


def test_a_named_gallery_has_its_key_beside_it(engine, home, tmp_path):
    opened(engine, tmp_path / "door" / "staff.db").close()
    assert (tmp_path / "door" / "staff.key").is_file()
    assert not home.exists()
    with open_gallery(str(tmp_path / "door" / "staff.db")) as gallery:
        assert gallery.list() == ()


def test_no_new_key_is_made_for_a_gallery_that_is_there(engine):
    opened(engine).close()
    key_file().unlink()
    with pytest.raises(ConfigError, match=r"cannot read the gallery key .*faces\.key"):
        opened(engine)
    assert not key_file().exists()


def test_a_key_that_is_there_is_used_for_a_new_gallery(engine):
    create_key_file(key_file())
    text = key_file().read_text()
    opened(engine).close()
    assert key_file().read_text() == text


def test_another_key_opens_nothing(engine, tmp_path):
    opened(engine).close()
    other = create_key_file(tmp_path / "other.key")
    with pytest.raises(ConfigError, match="the key does not open"):
        open_gallery(key=other)


def test_the_variable_holds_the_key_and_no_file_is_made(engine, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    with opened(engine) as gallery:
        enroll(engine, gallery, "an", [shot(1)])
    assert not key_file().exists()
    with open_gallery() as gallery:
        assert [person.person for person in gallery.list()] == ["an"]
    monkeypatch.setenv(KEY_VARIABLE, "cd" * 32)
    with pytest.raises(ConfigError, match="the key does not open"):
        open_gallery()


def test_a_key_given_comes_first(engine, monkeypatch, tmp_path):
    monkeypatch.setenv(KEY_VARIABLE, "ab" * 32)
    own = create_key_file(tmp_path / "own.key")
    opened(engine, key=own).close()
    open_gallery(key=GalleryKey.from_file(own)).close()
    with pytest.raises(ConfigError, match="the key does not open"):
        open_gallery()


def test_no_gallery_is_one_line_in_both_languages_and_makes_nothing(engine, home):
    with pytest.raises(DataError) as caught:
        open_gallery(embedder=engine.embedder)
    english, vietnamese = caught.value.in_both().split(" | ")
    assert f"there is no gallery {gallery_file()}" in english
    assert "vnvision face enroll PERSON PHOTO... --consent TEXT" in english
    assert f"chưa có kho khuôn mặt {gallery_file()}" in vietnamese
    assert "vnvision face enroll" in vietnamese
    assert not home.exists()


def test_templates_of_another_model_do_not_mix(engine):
    opened(engine).close()
    other = planted_engine()
    other.embedder.fingerprint = "planted-v2"
    with pytest.raises(ModelError, match="holds another model's embeddings"):
        opened(other)


def test_enrolled_people_are_found_and_others_are_unknown(engine, tmp_path):
    """With the planted templates one person's photos are above 0.8, those of two people below."""
    file = save(tmp_path / "an.png", shot((1, 1)))
    with opened(engine) as gallery:
        done = enroll(engine, gallery, "an", [shot((1, 0)), file], name="Nguyễn An")
        assert (done.added, done.already, done.replaced) == (2, 0, 0)
        enroll(engine, gallery, "bình", [shot((2, 0))])
        assert who(engine, gallery, shot((1, 9))) == ["an"]
        (match,) = engine.identify([shot((1, 9))], gallery, threshold=LIMIT)[0]
        expected = max(float(template(1, 9) @ template(1, photo)) for photo in (0, 1))
        assert match.answer.candidates[0].score == pytest.approx(expected, abs=1e-5)
        assert match.answer.candidates[0].name == "Nguyễn An"
        assert who(engine, gallery, shot((3, 0), (2, 4), (1, 7))) == [None, "bình", "an"]
        (stranger,) = engine.identify([shot((3, 0))], gallery, threshold=LIMIT)[0]
        assert stranger.answer.candidates == ()
        nearest = max(float(template(3) @ row) for row in (template(1), template(1, 1), template(2)))
        assert stranger.answer.best_score == pytest.approx(nearest, abs=1e-5)
        assert who(engine, gallery, shot()) == []


def test_the_same_photo_again_adds_nothing_and_new_terms_renew(engine, tmp_path):
    file = save(tmp_path / "an.png", shot(1))
    end = later()
    with opened(engine) as gallery:
        enroll(engine, gallery, "an", [file], expires=end)
        again = enroll(engine, gallery, "an", [str(file)], expires=end)
        assert (again.added, again.already, again.replaced) == (0, 1, 0)
        as_bytes = enroll(engine, gallery, "an", [file.read_bytes()], expires=end)
        assert as_bytes.already == 1, "a photo is its bytes, wherever they come from"
        more = enroll(engine, gallery, "an", [file, shot((1, 2))], expires=end)
        assert (more.added, more.already) == (1, 1)
        renewed = enroll(engine, gallery, "an", [file], expires=later(60))
        assert (renewed.added, renewed.replaced) == (0, 1)
        (person,) = gallery.list()
        assert len(person.photos) == 2


def test_a_picture_in_memory_is_its_values_and_shape(engine):
    picture = shot(1, px=48)
    with opened(engine) as gallery:
        assert enroll(engine, gallery, "an", [picture, picture.copy()]).added == 1
        assert enroll(engine, gallery, "an", [np.asfortranarray(picture)]).added == 0, "not its layout"
        assert enroll(engine, gallery, "an", [picture.reshape(24, 96, 3)]).added == 1, "the same bytes"


def test_the_person_must_be_clear_in_every_photo(engine, tmp_path):
    """30 x 30 against 22 x 22 pixels: 900 is less than twice 484; against 21 x 21 it is more."""
    group = save(tmp_path / "group.png", shot((1, 0, 30), (2, 0, 22), (3, 0, 30), (4, 0, 5)))
    with opened(engine) as gallery:
        with pytest.raises(DataError) as caught:
            enroll(engine, gallery, "an", [shot(1), group])
        english, vietnamese = caught.value.in_both().split(" | ")
        assert f"{group} shows several people" in english
        assert "got 3 of like size; cut the picture to the person to enrol" in english
        assert f"{group} có nhiều người" in vietnamese
        assert gallery.list() == (), "all photos or none"
        assert enroll(engine, gallery, "an", [shot((1, 0, 30), (2, 0, 21))]).added == 1
        assert who(engine, gallery, shot((1, 3))) == ["an"]
        assert who(engine, gallery, shot((2, 3))) == [None], "not the small face beside"


def test_a_photo_without_a_face_enrols_nobody(engine, tmp_path):
    wall = save(tmp_path / "wall.png", shot())
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    with opened(engine) as gallery:
        with pytest.raises(DataError) as caught:
            enroll(engine, gallery, "an", [shot(1), wall])
        english, vietnamese = caught.value.in_both().split(" | ")
        assert f"no face found in {wall}" in english
        assert "take another picture" in english
        assert f"không thấy khuôn mặt trong {wall}; hãy chụp lại" in vietnamese
        with pytest.raises(DataError, match=r"no face found in the picture"):
            enroll(engine, gallery, "an", [shot()])
        with pytest.raises(DataError, match=r"broken\.jpg"):
            enroll(engine, gallery, "an", [shot(1), broken])
        assert gallery.list() == ()
        assert [entry.action for entry in gallery.audit_entries()] == ["create"]


def test_an_expired_person_matches_nobody_and_is_still_listed(engine):
    end = later(1)
    with opened(engine) as gallery:
        enroll(engine, gallery, "an", [shot(1)], expires=end)
        enroll(engine, gallery, "bình", [shot(2)], expires=later(9))
        assert who(engine, gallery, shot((1, 1), (2, 1))) == ["an", "bình"]
    after = {"model": engine.embedder.fingerprint, "clock": lambda: end + timedelta(seconds=1)}
    with Gallery.open(gallery_file(), key=key_file(), **after) as gallery:
        assert who(engine, gallery, shot((1, 1), (2, 1))) == [None, "bình"]
        assert {person.person: person.matches for person in gallery.list()} == {"an": False, "bình": True}
        with pytest.raises(ConfigError, match="expires is in the past"):
            enroll(engine, gallery, "an", [shot(1)], expires=end)


def test_a_gallery_opened_without_an_embedder_can_only_be_looked_after(engine):
    with opened(engine) as gallery:
        enroll(engine, gallery, "an", [shot(1)])
    with open_gallery() as gallery:
        with pytest.raises(ConfigError, match="opened without a model"):
            enroll(engine, gallery, "an", [shot((1, 4))])
        assert gallery.forget("an") == 1
        assert gallery.forget("an") == 0
        assert gallery.list() == ()
        gallery.verify_audit()
