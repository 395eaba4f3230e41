"""One decoder a file format: bytes in, pixels as stored out."""

from __future__ import annotations
