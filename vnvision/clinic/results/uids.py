"""UIDs under the root of UUIDs, 2.25: random, or the same again for the same seed."""

from __future__ import annotations

import uuid

from vnvision.clinic.results.records import ModelFacts

_NAMESPACE = uuid.UUID("0b6f3d5e-5d0e-5d3c-9a55-3f2f6f4c6b1e")


class Uids:
    """Makes the UIDs of one set of files.

    Source: DICOM PS3.5, B.2: ``2.25.`` followed by a UUID as a decimal number.

    Args:
        seed: with one, every purpose always gets the same UID (UUID version 5, RFC 9562); without, random.
    """

    def __init__(self, seed: str | None = None) -> None:
        self._seed = seed

    def of(self, purpose: str) -> str:
        """A UID for one purpose."""
        if self._seed is None:
            return _decimal(uuid.uuid4())
        return _decimal(uuid.uuid5(_NAMESPACE, f"{self._seed}\0{purpose}"))


def device_uid(model: ModelFacts) -> str:
    """One model is one device, wherever and whenever it answers."""
    return _decimal(uuid.uuid5(_NAMESPACE, f"device\0{model.name}\0{model.version}\0{model.sha256}"))


def _decimal(value: uuid.UUID) -> str:
    return f"2.25.{value.int}"
