"""Texts of the clinic tab."""

from __future__ import annotations

TEXTS: dict[str, tuple[str, str]] = {}
