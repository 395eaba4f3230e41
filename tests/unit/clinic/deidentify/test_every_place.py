"""Identifiers planted everywhere are gone: searched bytewise, in names and in inflated data too."""

import struct

import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from raw_dicom import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, SIZE, Raw
from searching import everything, found, inflated

from vnvision.clinic.deidentify import Options, deidentify_file, deidentify_folder

SYNTAXES = pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
VRS = sorted(
    {vr for entry in DicomDictionary.values() for vr in entry[0].split(" or ")} - {"NONE", "SQ", ""} | {"UN"}
)
ALL_WITHOUT_TEXTS = Options(
    retain={"shifted-dates", "uids", "safe-private", "icc-profile"},
    clean={"descriptors", "graphics", "structured"},
)
NEEDED = {*Raw().image(), 0x00280008}  # what makes the file an image; Number of Frames


class Tokens:
    """Makes tokens that differ everywhere, and remembers them."""

    def __init__(self):
        self.made = []

    def __call__(self):
        number = len(self.made) * 7919 % 99991
        self.made.append(f"Zq{number:05}X{chr(65 + number % 26)}{chr(65 + number // 26 % 26)}vTeo")
        return self.made[-1]


def filled(vr, token):
    """A token as the value of a VR: 8 bytes for numbers (one or more values), the whole of it for texts."""
    size = SIZE.get(vr)
    return token.encode()[: max(8, size)] if size else token.encode()


def public_tags():
    return [
        (tag, vr)
        for tag, entry in sorted(DicomDictionary.items())
        for vr in [entry[0].split(" or ")[0]]
        if tag >> 16 >= 8 and tag not in NEEDED and vr not in ("SQ", "NONE", "") and tag < 0x7FE00000
        and tag >> 16 != 0xFFFE and tag != 0x00420011
    ]  # fmt: skip


def run(tmp_path, data, options, key, name="in.dcm"):
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in" / name).write_bytes(data)
    done = deidentify_folder(tmp_path / "in", tmp_path / "out", options, key)
    assert not done.failures, done.failures
    return everything(tmp_path / "out")


@SYNTAXES
@pytest.mark.parametrize("options", [Options(), ALL_WITHOUT_TEXTS], ids=["default", "options"])
def test_every_attribute_of_the_dictionary(tmp_path, key, syntax, options):
    raw, token = Raw(syntax), Tokens()
    planted = {tag: raw.element(tag, vr, filled(vr, token())) for tag, vr in public_tags()}
    assert len(planted) > 3500
    data = raw.file(raw.image() | planted)
    assert found([t[:8] for t in token.made], data + inflated(data)) == [t[:8] for t in token.made]
    out = run(tmp_path, data, options, key)
    assert found([t[:8] for t in token.made], out) == []


@SYNTAXES
def test_every_vr_at_every_depth_public_and_private(tmp_path, key, syntax):
    raw, token = Raw(syntax), Tokens()
    by_vr = {}
    for tag, vr in public_tags():
        by_vr.setdefault(vr, []).append(tag)
    chain = [0x00081115, 0x00081140, 0x00082112, 0x00289145, 0x00409096, 0x52009229]

    def level(depth):
        made = {}
        for vr in VRS:
            for tag in by_vr.get(vr, [])[depth : depth + 2]:
                made[tag] = raw.element(tag, vr, filled(vr, token()))
        made[0x00090010] = raw.text(0x00090010, "LO", token())
        for place, vr in enumerate(VRS):
            made[0x00091000 + place] = raw.element(0x00091000 + place, vr, filled(vr, token()))
        inside = raw.text(0x00100010, "PN", token()) + raw.text(0x00180015, "CS", token())
        for place, (kind, undefined) in enumerate((v, u) for v in ("SQ", "UN") for u in (False, True)):
            made[0x00091080 + place] = raw.sequence(
                0x00091080 + place, [inside], undefined=undefined, vr=kind
            )
        if depth < len(chain):
            item = b"".join(value for _, value in sorted(level(depth + 1).items()))
            made[chain[depth]] = raw.sequence(chain[depth], [item], undefined=depth % 2 == 0)
        return made

    out = run(tmp_path, raw.file(raw.image() | level(0)), Options(), key)
    assert len(token.made) > 300
    assert found([t[:8] for t in token.made], out) == []


@SYNTAXES
def test_places_outside_the_data_set(tmp_path, key, syntax):
    raw, plain, token = Raw(syntax), Raw(EXPLICIT), Tokens()
    preamble = (b"II*\0" + token().encode() + token().encode("utf-16-le")).ljust(128, b"!")
    meta = b"".join(
        plain.text(tag, vr, token())
        for tag, vr in ((0x00020013, "SH"), (0x00020016, "AE"), (0x00020017, "AE"), (0x00020018, "AE"))
    )
    meta += plain.text(0x00020100, "UI", token()) + plain.text(0x00020102, "OB", token())
    overlays = {
        0x60000010: raw.number(0x60000010, 8), 0x60000011: raw.number(0x60000011, 8),
        0x60000022: raw.text(0x60000022, "LO", token()), 0x60000040: raw.text(0x60000040, "CS", "R"),
        0x60001500: raw.text(0x60001500, "LO", token()), 0x60003000: raw.text(0x60003000, "OW", token()),
        0x60024000: raw.text(0x60024000, "LT", token()), 0x50003000: raw.text(0x50003000, "OW", token()),
        0x50000022: raw.text(0x50000022, "LO", token()), 0x501E2500: raw.text(0x501E2500, "LO", token()),
    }  # fmt: skip
    image = raw.image()
    image[0x7FE00010] = raw.element(0x7FE00010, "OW", bytes(128) + token().encode())
    behind = raw.text(0xFFFCFFFC, "OB", token()) + raw.text(0xFFFAFFFA, "OB", "")
    for options in (Options(), ALL_WITHOUT_TEXTS):
        data = raw.file(image | overlays, preamble=preamble, meta=meta, behind=behind)
        where = tmp_path / str(len(options.retain))
        where.mkdir()
        name = token()
        (where / "in" / f"{name}_dir").mkdir(parents=True)
        (where / "in" / f"{name}_dir" / f"{name}.dcm").write_bytes(data)
        deidentify_folder(where / "in", where / "out", options, key, linkage=where / "who.csv")
        assert found(token.made, everything(where / "out")) == []
        written = next((where / "out").rglob("*.dcm"))
        assert written.read_bytes()[:128] == bytes(128)
        assert name in (where / "who.csv").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("charset", "encoding", "name"),
    [
        ("ISO_IR 192", "utf-8", "Nguyễn^Thị Tuyết Nhung"),
        ("ISO_IR 100", "latin-1", "Dûpont^Éléonore"),
        ("\\ISO 2022 IR 87", "iso2022_jp", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("GB18030", "gb18030", "Wang^XiaoDong=王^小东"),
    ],
)
def test_names_in_any_character_set(tmp_path, key, charset, encoding, name):
    raw = Raw()
    stored = name.encode(encoding)
    texts = {
        tag: raw.element(tag, vr, stored)
        for tag, vr in ((0x00100010, "PN"), (0x00324000, "LT"), (0x00081030, "LO"))
    }
    planted = {0x00080005: raw.text(0x00080005, "CS", charset)} | texts
    out = run(tmp_path, raw.file(raw.image() | planted), Options(clean={"descriptors"}), key)
    for part in [piece for group in name.split("=") for piece in group.split("^")]:
        for form in (part.encode(encoding), part.encode(), part.encode("utf-16-le")):
            assert form not in out, (part, form)


@pytest.mark.parametrize("digits", ["1982031", "184711987", "091234567890"])
@pytest.mark.parametrize(
    ("tag", "vr"), [(0x00200013, "IS"), (0x00180050, "DS"), (0x00181150, "IS"), (0x00281052, "DS")]
)
def test_a_patient_number_in_a_number(tmp_path, key, tag, vr, digits):
    raw = Raw()
    out = run(tmp_path, raw.file(raw.image() | {tag: raw.text(tag, vr, digits)}), Options(), key)
    assert digits.lstrip("0").encode() not in out


@pytest.mark.parametrize(
    ("tag", "vr", "count"),
    [(0x00189073, "FD", 1), (0x00189087, "FD", 1), (0x0022000B, "FL", 1), (0x00221094, "FL", 2)],
)
@pytest.mark.parametrize("text", [b"PLANTEDA", b"Nguyen@A", b"AAAAAAAB", "Nguyễn".encode()])
def test_a_name_in_a_float(tmp_path, key, tag, vr, count, text):
    raw = Raw()
    value = text[: 8 if vr == "FD" else 4 * count]
    out = run(tmp_path, raw.file(raw.image() | {tag: raw.element(tag, vr, value)}), Options(), key)
    assert len(value) < 5 or value not in out


def test_plain_numbers_stay_as_they_are(tmp_path, key):
    raw = Raw()
    numbers = {
        0x00180050: raw.text(0x00180050, "DS", "1.25"),
        0x00200032: raw.text(0x00200032, "DS", "-158.135803\\-179.035797\\-75.699997"),
        0x00189073: raw.element(0x00189073, "FD", struct.pack("<d", 812.0625)),
        0x00281053: raw.text(0x00281053, "DS", "1e-05"),
        0x00181150: raw.text(0x00181150, "IS", "1601"),
    }
    (tmp_path / "a.dcm").write_bytes(raw.file(raw.image() | numbers))
    done = deidentify_file(tmp_path / "a.dcm", tmp_path / "out", Options(), key)
    made = pydicom.dcmread(tmp_path / "out" / done.file)
    assert (made.SliceThickness, made.ExposureTime, made.AcquisitionDuration) == (1.25, 1601, 812.0625)
    assert made.ImagePositionPatient == [-158.135803, -179.035797, -75.699997]
    assert made.RescaleSlope == 1e-05
