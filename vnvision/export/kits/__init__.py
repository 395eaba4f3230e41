"""Deploy kits: a folder with a model, its proof and running examples, for those who never install us."""

from __future__ import annotations

from vnvision.export.kits.write import write_kit

__all__ = ["write_kit"]
