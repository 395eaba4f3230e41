"""JPEG 2000 codestreams without their comments (ISO/IEC 15444-1 Annex A, 15444-15)."""

from __future__ import annotations

from vnvision.errors import DataError

_SOC, _SIZ, _COD, _SOT, _SOD, _EOC = 0xFF4F, 0xFF51, 0xFF52, 0xFF90, 0xFF93, 0xFFD9
_KEPT = frozenset({0xFF50, 0xFF51, 0xFF52, 0xFF53, 0xFF59, 0xFF5C, 0xFF5D, 0xFF5E, 0xFF5F, 0xFF60, 0xFF61})
"""CAP SIZ COD COC CPF QCD QCC RGN POC PPM PPT. TLM, PLM and PLT only help to find things; CRG and COM go."""
_BOX = b"\0\0\0\x0cjP  \r\n\x87\n"


def stripped(frame: bytes) -> bytes:
    """The same compressed picture: main and tile-part headers without comments, nothing behind its end.

    A JP2 file in place of a bare codestream is reduced to the codestream, which is all that PS3.5 A.4.4
    allows; its boxes may hold XML and EXIF.

    Raises:
        DataError: no JPEG 2000, or a damaged one.
    """
    data = _codestream(frame) if frame[: len(_BOX)] == _BOX else frame
    if _marker(data, 0) != _SOC:
        raise _damaged("no start of codestream")
    header, at = _header(data, 2, _SOT)
    out = [data[:2], header]
    while _marker(data, at) == _SOT:
        part, at = _tile_part(data, at)
        out.append(part)
    if _marker(data, at) != _EOC and at < len(data):
        raise _damaged("bytes between its tile-parts")
    return b"".join([*out, _EOC.to_bytes(2, "big")])


def _tile_part(data: bytes, at: int) -> tuple[bytes, int]:
    """One tile-part written anew, and where the next begins. Length 0 means up to the end of the picture."""
    length = int.from_bytes(data[at + 6 : at + 10], "big")
    end = at + length if length else (len(data) - 2 if data[-2:] == b"\xff\xd9" else data.rfind(b"\xff\xd9"))
    if end > len(data) or end < at + 14:
        raise _damaged("a tile-part that is cut short")
    header, start = _header(data, at + 12, _SOD)
    packets = data[start + 2 : end]
    size = 12 + len(header) + 2 + len(packets)
    head = data[at : at + 6] + size.to_bytes(4, "big") + data[at + 10 : at + 12]
    return head + header + data[start : start + 2] + packets, end


def _header(data: bytes, at: int, last: int) -> tuple[bytes, int]:
    """The segments of a header that are kept, up to the marker that ends it, and where that is."""
    kept = []
    while (marker := _marker(data, at)) != last:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if marker >> 8 != 0xFF or length < 2 or at + 2 + length > len(data):
            raise _damaged("a segment that is cut short")
        if marker in (_SIZ, _COD) and length != _length(data, at, marker):
            raise _damaged("a segment of another length than its content has")
        if marker in _KEPT:
            kept.append(data[at : at + 2 + length])
        at += 2 + length
    return b"".join(kept), at


def _length(data: bytes, at: int, marker: int) -> int:
    """What the length of a SIZ or COD segment follows from: components, or levels with precincts."""
    if marker == _SIZ:
        return 38 + 3 * _marker(data, at + 38)
    style, levels = int.from_bytes(data[at + 4 : at + 5]), int.from_bytes(data[at + 9 : at + 10])
    return 12 + (levels + 1 if style & 1 else 0)


def _codestream(data: bytes) -> bytes:
    """The first contiguous codestream box of a JP2 file."""
    at = 0
    while at + 8 <= len(data):
        length, start = int.from_bytes(data[at : at + 4], "big"), at + 8
        if length == 1:
            length, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        end = at + length if length else len(data)
        if data[at + 4 : at + 8] == b"jp2c":
            return data[start:end]
        if end <= at:
            break
        at = end
    raise _damaged("no codestream")


def _marker(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 2], "big")


def _damaged(got: str) -> DataError:
    return DataError("a compressed frame is damaged", expected="a JPEG 2000 picture", got=got)
