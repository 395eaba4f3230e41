"""vnvision: train, prove and export small vision models on regional data.

``import vnvision as vv`` costs nothing: what is named is loaded when it is first used. ``vv.train``,
``vv.evaluate``, ``vv.export`` and ``vv.teach`` are packages *and* can be called: ``vv.train("config.yaml")``
runs ``vnvision.api.train``, and ``from vnvision.train.config import TrainConfig`` works as for any package.
``vv.models()`` lists what there is to call, without loading ``vnvision.models``, the networks.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PACKAGES = ("train", "evaluate", "export", "teach")
_CALLABLE = (*_PACKAGES, "models")
_NAMES = {
    "FaceEngine": "vnvision.faces.engine",
    "add_model": "vnvision.api",
    "find_duplicates": "vnvision.data.duplicates",
    "load_bundle": "vnvision.runtime",
    "models": "vnvision.api",
    "remove_model": "vnvision.api",
    "quickstart": "vnvision.api",
    "read": "vnvision.imaging",
    "read_manifest": "vnvision.data.manifest",
    "Preprocessor": "vnvision.imaging",
    "PreprocessSpec": "vnvision.spec",
    "TaskSpec": "vnvision.spec",
    "Label": "vnvision.spec",
    "VnvisionError": "vnvision.errors",
}
__all__ = [
    "FaceEngine",
    "Label",
    "PreprocessSpec",
    "Preprocessor",
    "TaskSpec",
    "VnvisionError",
    "__version__",
    "add_model",
    "evaluate",
    "export",
    "find_duplicates",
    "load_bundle",
    "models",
    "quickstart",
    "read",
    "read_manifest",
    "remove_model",
    "teach",
    "train",
]

if TYPE_CHECKING:
    from vnvision.api import add_model, evaluate, export, models, quickstart, remove_model, teach, train
    from vnvision.data.duplicates import find_duplicates
    from vnvision.data.manifest import read_manifest
    from vnvision.errors import VnvisionError
    from vnvision.faces.engine import FaceEngine
    from vnvision.imaging import Preprocessor
    from vnvision.imaging.read import read as read
    from vnvision.runtime import load_bundle
    from vnvision.spec import Label, PreprocessSpec, TaskSpec


class _CallablePackage(ModuleType):
    """A package whose verb of the same name can be called."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        verb = getattr(importlib.import_module("vnvision.api"), self.__name__.rpartition(".")[2])
        return verb(*args, **kwargs)


class _Root(ModuleType):
    """Importing a submodule sets it on its parent; the verbs among them become callable at that moment."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLABLE and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name in _PACKAGES:
            return importlib.import_module(f"vnvision.{name}")
        if name in _NAMES:
            return getattr(importlib.import_module(_NAMES[name]), name)
        raise AttributeError(f"module 'vnvision' has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted(__all__)


sys.modules[__name__].__class__ = _Root
