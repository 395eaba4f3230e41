"""What a viewer may tell of a DICOM header: what the picture is, never whose."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from vnvision.imaging.dicom import grey, groups, quiet, views
from vnvision.imaging.dicom.elements import Elements
from vnvision.imaging.dicom.header import GREY, header
from vnvision.imaging.dicom.source import KEYWORDS, opened
from vnvision.imaging.dicom.spacing import spacing_mm

Kind = Literal["window", "header", "range", "picture", "colour"]
_EXPLAINED = "WindowCenterWidthExplanation"
_ORIGINAL: tuple[str, str] = ("Theo tệp", "As in the file")
# Free text that may say anything, a name too: only words that are known are shown.
_WORDS: dict[str, tuple[str, str]] = {
    "LUNG": ("Phổi", "Lung"),
    "BONE": ("Xương", "Bone"),
    "SOFT TISSUE": ("Mô mềm", "Soft tissue"),
    "SOFT": ("Mô mềm", "Soft tissue"),
    "BRAIN": ("Não", "Brain"),
    "MEDIASTINUM": ("Trung thất", "Mediastinum"),
    "ABDOMEN": ("Bụng", "Abdomen"),
    "LIVER": ("Gan", "Liver"),
    "NORMAL": ("Thường", "Normal"),
    "HARDER": ("Tương phản cao", "Harder"),
    "SOFTER": ("Tương phản thấp", "Softer"),
}
_PARTS: dict[str, tuple[str, str]] = {
    "CHEST": ("Ngực", "Chest"),
    "THORAX": ("Ngực", "Chest"),
    "ABDOMEN": ("Bụng", "Abdomen"),
    "HEAD": ("Đầu", "Head"),
    "BRAIN": ("Não", "Brain"),
    "SKULL": ("Sọ", "Skull"),
    "NECK": ("Cổ", "Neck"),
    "BREAST": ("Vú", "Breast"),
    "PELVIS": ("Khung chậu", "Pelvis"),
    "HIP": ("Hông", "Hip"),
    "KNEE": ("Gối", "Knee"),
    "SHOULDER": ("Vai", "Shoulder"),
    "ELBOW": ("Khuỷu tay", "Elbow"),
    "WRIST": ("Cổ tay", "Wrist"),
    "HAND": ("Bàn tay", "Hand"),
    "FOOT": ("Bàn chân", "Foot"),
    "ANKLE": ("Cổ chân", "Ankle"),
    "SPINE": ("Cột sống", "Spine"),
    "CSPINE": ("Cột sống cổ", "Cervical spine"),
    "TSPINE": ("Cột sống ngực", "Thoracic spine"),
    "LSPINE": ("Cột sống thắt lưng", "Lumbar spine"),
    "HEART": ("Tim", "Heart"),
    "LIVER": ("Gan", "Liver"),
    "KIDNEY": ("Thận", "Kidney"),
    "THYROID": ("Tuyến giáp", "Thyroid"),
}
_MODALITIES = frozenset(
    {"CR", "CT", "DX", "ES", "GM", "IO", "MG", "MR", "NM", "OP", "OT", "PT", "PX", "RF", "SC", "SM", "US",
     "XA", "XC"}
)  # fmt: skip
# Centre and width in Hounsfield units.
_CT: tuple[tuple[str, float, float], ...] = (
    ("LUNG", -600.0, 1500.0),
    ("BONE", 400.0, 1800.0),
    ("SOFT TISSUE", 40.0, 400.0),
)


@dataclass(frozen=True, slots=True)
class Preset:
    """One way to show a picture.

    Attributes:
        id: to ask for it with: ``header:0``, ``lung``, ``bone``, ``soft_tissue``, ``range``, ``picture``.
        vi: its name.
        en: its name.
        window: centre and width; None where it is no window (a table of the file's, colour).
        index: which of the header's views; None for others.
    """

    id: str
    vi: str
    en: str
    window: tuple[float, float] | None = None
    index: int | None = None

    def text(self, language: Literal["vi", "en"]) -> str:
        """The name in one language."""
        return self.vi if language == "vi" else self.en


COLOUR = Preset("colour", "Màu gốc", "Colour")


@dataclass(frozen=True, slots=True)
class Facts:
    """What may be shown beside a picture. Nothing here says whose it is.

    Attributes:
        format: DICOM, PNG and so on.
        size_px: height and width.
        frames: 1 for most.
        modality: such as CT; None where the file states none that is known.
        body_part: Vietnamese and English; None where the file states none that is known.
        spacing_mm: between rows and between columns.
        bits: a channel.
        units: of centre and width, such as HU; None where they are plain levels.
        colour: windows do not apply.
    """

    format: str
    size_px: tuple[int, int]
    frames: int = 1
    modality: str | None = None
    body_part: tuple[str, str] | None = None
    spacing_mm: tuple[float, float] | None = None
    bits: int = 8
    units: str | None = None
    colour: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """What a header says: facts, presets, the ends that it allows, and how grey levels are to be turned."""

    facts: Facts
    presets: tuple[Preset, ...]
    bounds: tuple[float, float] | None
    inverted: bool


def read_header(path: str, frame: int, max_pixels: int) -> Told:
    """Read the header of a DICOM file; its pixels are not touched.

    Raises:
        DataError: as ``read_dicom``.
        MissingExtraError: pydicom is not installed.
    """
    with quiet.notes(), opened(path, max_pixels, (*KEYWORDS, _EXPLAINED)) as (parsed, _):
        head, elements = header(parsed, max_pixels), parsed.elements
        is_grey = head.photometric in GREY
        change = grey.modality(elements, frame) if is_grey else grey.Modality()
        spacing = spacing_mm(elements, frame)[0]
        stated = elements.code("Modality")
        modality = stated if stated in _MODALITIES else None
        facts = Facts(
            format="DICOM",
            size_px=(head.rows, head.columns),
            frames=head.frames,
            modality=modality,
            body_part=_PARTS.get(elements.code("BodyPartExamined") or ""),
            spacing_mm=(float(spacing[0]), float(spacing[1])) if spacing is not None else None,
            bits=head.stored,
            units=change.unit if change.unit in ("HU", "OD", "SUV") else None,
            colour=not is_grey,
        )
        if not is_grey:
            return Told(facts, (COLOUR,), None, False)
        presets = (
            *_of_header(elements, frame),
            *(_of_ct() if (modality, change.unit) == ("CT", "HU") else ()),
        )
        return Told(facts, presets, change.bounds(head), head.photometric == "MONOCHROME1")


def _of_header(elements: Elements, frame: int) -> list[Preset]:
    """The file's own views, tables first, as ``read_dicom`` counts them."""
    tables = len(elements.items("VOILUTSequence"))
    home = groups.holding(elements, frame, "FrameVOILUTSequence", *views.KEYWORDS[1:3])
    pairs = list(zip(*(home.numbers(name) for name in views.KEYWORDS[1:3]), strict=False))
    names = _explained(home)
    linear = (home.code("VOILUTFunction") or "LINEAR") == "LINEAR"
    found = []
    for index in range(tables + len(pairs)):
        place = index - tables
        vi, en = names[place] if 0 <= place < len(names) else _ORIGINAL
        if tables + len(pairs) > 1 and (vi, en) == _ORIGINAL:
            vi, en = f"{vi} {index + 1}", f"{en} {index + 1}"
        window = pairs[place] if place >= 0 else None
        if window is not None and window[1] < (1 if linear else 1e-9):
            continue  # read_dicom refuses it
        found.append(Preset(f"header:{index}", vi, en, window if linear else None, index))
    return found


def _explained(home: Elements) -> list[tuple[str, str]]:
    value = home.value(_EXPLAINED)
    texts = [] if value is None else [value] if isinstance(value, str) else list(value)
    words = (" ".join(str(text).upper().replace("_", " ").split()) for text in texts)
    return [_WORDS.get(word, _ORIGINAL) for word in words]


def _of_ct() -> list[Preset]:
    return [Preset(name.lower().replace(" ", "_"), *_WORDS[name], (c, w)) for name, c, w in _CT]
