import numpy as np
import pytest

from vnvision.data.augment import Augmenter, AugmentSpec
from vnvision.errors import ConfigError

IMAGE = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)


def test_an_albumentations_transform_by_name_is_keyed_like_the_rest():
    spec = AugmentSpec(
        hflip=0.5, extra=({"name": "CoarseDropout", "p": 1.0}, {"name": "Posterize", "p": 0.5})
    )
    augmenter = Augmenter(spec, 32)
    first = augmenter(IMAGE, (1, 2, 3))
    augmenter(IMAGE, (9, 9, 9))
    np.random.seed(5)
    assert np.array_equal(augmenter(IMAGE, (1, 2, 3)), first)
    assert not np.array_equal(augmenter(IMAGE, (1, 2, 4)), first)
    assert not np.array_equal(Augmenter(AugmentSpec(hflip=0.5), 32)(IMAGE, (1, 2, 3)), first)


@pytest.mark.parametrize(
    ("extra", "text"),
    [
        ({"name": "RandomFogg"}, "no transform 'RandomFogg'"),
        ({"name": "os"}, "no transform 'os'"),
        ({"name": "Resize", "height": 8, "width": 8}, "changed the size: expected \\(32, 32, 3\\)"),
        ({"name": "Posterize", "num_bits": "many"}, "does not take these arguments"),
    ],
)
def test_bad_names_and_arguments_are_one_line(extra, text):
    with pytest.raises(ConfigError, match=text):
        Augmenter(AugmentSpec(extra=(extra,)), 32)(IMAGE, (0,))
