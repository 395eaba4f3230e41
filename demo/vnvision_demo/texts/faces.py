"""Texts of the faces tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {}
