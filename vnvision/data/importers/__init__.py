"""Importers: from the layouts data sets come in to a manifest."""

from vnvision.data.importers.dispatch import KINDS, import_data

__all__ = ["KINDS", "import_data"]
