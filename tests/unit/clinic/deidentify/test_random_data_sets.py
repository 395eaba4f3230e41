"""Random nested data sets: whatever is written holds no identifier; anything else is a DataError."""

import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import DicomDictionary
from raw_dicom import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, LONG, Raw
from searching import everything, found

from vnvision.clinic.deidentify import Options, deidentify_file
from vnvision.errors import DataError

TOKEN = "NguyenTeo"
VRS = [*sorted(LONG - {"SQ"}), "AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS"]
VRS += ["LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US"]
KEPT = {*Raw().image(), 0x00280008}
TAGS = sorted(tag for tag in DicomDictionary if 0x00080000 <= tag < 0x7FE00000 and tag not in KEPT)
KEY = bytes(range(32))

tags = st.sampled_from(TAGS) | st.integers(0x00090010, 0x7FDF1FFF)
values = st.tuples(
    st.sampled_from([TOKEN, TOKEN.upper(), TOKEN[::-1]]), st.binary(max_size=12), st.integers(0, 3)
)


@st.composite
def elements(draw, depth=0):
    """(tag, VR, value) or (tag, items, undefined length), VRs right or wrong."""
    made = []
    for _ in range(draw(st.integers(1, 6))):
        tag = draw(tags)
        if tag >> 16 == 0xFFFE or tag >> 16 < 8:
            continue
        if depth < 6 and draw(st.integers(0, 3)) == 0:
            items = draw(st.lists(elements(depth + 1), min_size=1, max_size=2))
            made.append((tag, items, draw(st.booleans())))
            continue
        known = DicomDictionary.get(tag, ("LO",))[0].split(" or ")[0]
        vr = draw(st.sampled_from([known if known in VRS else "UN", draw(st.sampled_from(VRS))]))
        token, noise, place = draw(values)
        made.append(
            (
                tag,
                vr,
                [token.encode() + noise, noise + token.encode(), token.encode() * 2, token.encode()][place],
            )
        )
    return made


def written(raw, parts):
    made = {}
    for tag, second, third in parts:
        if isinstance(second, str):
            made[tag] = raw.element(tag, second, third)
        else:
            items = [b"".join(v for _, v in sorted(written(raw, item).items())) for item in second]
            made[tag] = raw.sequence(tag, items, undefined=third)
    return made


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(
    parts=elements(),
    syntax=st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED]),
    chosen=st.sampled_from(
        [Options(), Options(retain={"shifted-dates"}, clean={"descriptors", "structured"})]
    ),
)
def test_no_token_comes_through(parts, syntax, chosen):
    raw = Raw(syntax)
    made = {tag: value for tag, value in written(raw, parts).items() if tag not in KEPT}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.dcm").write_bytes(raw.file(raw.image() | made))
        try:
            deidentify_file(folder / "in.dcm", folder / "out", chosen, KEY)
        except DataError:
            assert not list((folder / "out").rglob("*.dcm"))
            return
        assert found([TOKEN, TOKEN[::-1]], everything(folder / "out")) == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damaged_files_give_a_data_error_or_a_clean_file(data):
    raw = Raw(data.draw(st.sampled_from([EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])))
    planted = {0x00081030: raw.text(0x00081030, "LO", TOKEN), 0x00324000: raw.text(0x00324000, "LT", TOKEN)}
    whole = bytearray(raw.file(raw.image() | planted))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(132, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)) | st.just(len(whole)))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in.dcm").write_bytes(whole[:cut])
        try:
            deidentify_file(folder / "in.dcm", folder / "out", Options(), KEY)
        except DataError as exc:
            said = str(exc)
        else:
            said = ""
        assert found([TOKEN], said.encode() + everything(folder / "out")) == []
