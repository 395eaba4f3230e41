"""Data: manifests, importers, splits, samplers, augmentation."""

from vnvision.data.manifest import Manifest, Row, read_manifest, write_manifest

__all__ = ["Manifest", "Row", "read_manifest", "write_manifest"]
