"""For clinics: de-identification of DICOM files, and results as DICOM. Parts load when they are used."""

from __future__ import annotations
