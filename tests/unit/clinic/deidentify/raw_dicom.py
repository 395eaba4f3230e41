"""DICOM files written byte by byte from PS3.5 and PS3.10, so that nothing is tidied up on the way."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
DEFLATED, BIG_ENDIAN = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
SIZE = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "UV": 8, "SV": 8, "FL": 4, "FD": 8, "AT": 4, "OW": 2, "OF": 4} | {
    "OL": 4,
    "OD": 8,
    "OV": 8,
}


@dataclass
class Raw:
    """A writer of elements in one transfer syntax."""

    syntax: str = EXPLICIT

    @property
    def order(self):
        return ">" if self.syntax == BIG_ENDIAN else "<"

    def element(self, tag, vr, value, *, undefined=False):
        """Header and value; ``value`` is padded to an even length, with a blank or a NUL as its VR asks."""
        if len(value) % 2:
            value += (
                b" " if vr in ("LO", "SH", "PN", "CS", "DS", "IS", "LT", "ST", "UT", "UC", "AE") else b"\0"
            )
        head = struct.pack(self.order + "HH", tag >> 16, tag & 0xFFFF)
        length = 0xFFFFFFFF if undefined else len(value)
        if self.syntax == IMPLICIT:
            return head + struct.pack("<L", length) + value
        if vr in LONG:
            return head + vr.encode() + b"\0\0" + struct.pack(self.order + "L", length) + value
        return head + vr.encode() + struct.pack(self.order + "H", length) + value

    def sequence(self, tag, items, *, undefined=False, vr="SQ"):
        """A sequence of items, each a string of elements."""
        body = b""
        for item in items:
            length = 0xFFFFFFFF if undefined else len(item)
            body += struct.pack(self.order + "HHL", 0xFFFE, 0xE000, length) + item
            body += struct.pack(self.order + "HHL", 0xFFFE, 0xE00D, 0) if undefined else b""
        body += struct.pack(self.order + "HHL", 0xFFFE, 0xE0DD, 0) if undefined else b""
        return self.element(tag, vr, body, undefined=undefined)

    def text(self, tag, vr, value):
        return self.element(tag, vr, value.encode())

    def number(self, tag, value):
        return self.element(tag, "US", struct.pack(self.order + "H", value))

    def file(self, elements, *, preamble=b"\0" * 128, meta=b"", behind=b"", sop="1.2.3.4.5", kind=CT_IMAGE):
        """A whole file. ``elements`` is a dict by tag; they are put in order."""
        plain = Raw(EXPLICIT)
        group = b"".join(
            [
                plain.element(0x00020001, "OB", b"\0\1"),
                plain.text(0x00020002, "UI", kind),
                plain.text(0x00020003, "UI", sop),
                plain.text(0x00020010, "UI", self.syntax),
                plain.text(0x00020012, "UI", "1.2.3"),
                meta,
            ]
        )
        body = b"".join(value for _, value in sorted(elements.items())) + behind
        if self.syntax == DEFLATED:
            packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
            body = packer.compress(body) + packer.flush()
            body += b"\0" * (len(body) % 2)
        length = plain.element(0x00020000, "UL", struct.pack("<L", len(group)))
        return preamble + b"DICM" + length + group + body

    def image(self, pixels=None):
        """The elements of a small CT image, by tag."""
        texts = {
            0x00080016: ("UI", CT_IMAGE),
            0x00080018: ("UI", "1.2.3.4.5"),
            0x00080060: ("CS", "CT"),
            0x00100010: ("PN", "Nguyễn^Văn^Tèo"),
            0x00100020: ("LO", "HUE-0047118"),
            0x0020000D: ("UI", "1.2.3.4.1"),
            0x0020000E: ("UI", "1.2.3.4.2"),
            0x00200013: ("IS", "7"),
            0x00280004: ("CS", "MONOCHROME2"),
        }
        pixels = np.arange(64, dtype="u2").reshape(8, 8) * 50 if pixels is None else pixels
        numbers = {0x00280002: 1, 0x00280010: pixels.shape[0], 0x00280011: pixels.shape[1]}
        numbers |= {0x00280100: 16, 0x00280101: 12, 0x00280102: 11, 0x00280103: 0}
        made = {tag: self.text(tag, vr, value) for tag, (vr, value) in texts.items()}
        made |= {tag: self.number(tag, value) for tag, value in numbers.items()}
        made[0x7FE00010] = self.element(0x7FE00010, "OW", pixels.astype(self.order + "u2").tobytes())
        return made
