"""Colour profiles with their numbers and without their texts (ICC.1:2022)."""

from __future__ import annotations

import struct

_NUMERIC = frozenset(
    {
        b"XYZ ",
        b"curv",
        b"para",
        b"mft1",
        b"mft2",
        b"mAB ",
        b"mBA ",
        b"sf32",
        b"chrm",
        b"meas",
        b"view",
        b"sig ",
    }
)
_TEXT = (
    b"mluc"
    + struct.pack(">IIIHHII", 0, 1, 12, 0x656E, 0x5553, 14, 28)
    + "removed".encode("utf-16-be")
    + b"\0\0"
)
_REQUIRED = frozenset({b"desc", b"cprt"})
_HEADER = 128


def rebuilt(profile: bytes) -> bytes | None:
    """The profile with its numeric tags only; description and copyright read "removed".

    The header keeps what colours depend on; dates, makers, creator and profile ID become 0.

    Returns:
        None where it is no profile.
    """
    if len(profile) < _HEADER + 4 or profile[36:40] != b"acsp":
        return None
    count = struct.unpack_from(">I", profile, _HEADER)[0]
    if not 0 < count <= 100 or len(profile) < _HEADER + 4 + 12 * count:
        return None
    tags = []
    for i in range(count):
        name, offset, size = struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * i)
        body = profile[offset : offset + size]
        if name in _REQUIRED:
            tags.append((name, _TEXT))
        elif len(body) == size >= 8 and body[:4] in _NUMERIC:
            tags.append((name, body[:4] + b"\0\0\0\0" + body[8:]))
    table, bodies, at = [], [], _HEADER + 4 + 12 * len(tags)
    for name, body in tags:
        table.append(struct.pack(">4sII", name, at, len(body)))
        bodies.append(body + b"\0" * (-len(body) % 4))
        at += len(bodies[-1])
    head = bytearray(_HEADER)
    head[0:4] = at.to_bytes(4, "big")
    for start, end in ((8, 24), (36, 40), (64, 80)):  # version, class, spaces; signature; intent, illuminant
        head[start:end] = profile[start:end]
    return bytes(head) + struct.pack(">I", len(tags)) + b"".join(table) + b"".join(bodies)
