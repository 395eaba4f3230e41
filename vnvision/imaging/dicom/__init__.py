"""DICOM: files to samples, and pseudonyms for what names a patient. pydicom loads when a file is read."""

from __future__ import annotations

from vnvision.imaging.dicom.reading import frames, read_dicom, read_frames

__all__ = ["frames", "read_dicom", "read_frames"]
