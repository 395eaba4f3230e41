"""OpenVINO's ``model.xml`` (intermediate representation, version 10 and 11), read before OpenVINO does."""

from __future__ import annotations

import re
from xml.parsers import expat

from vnvision.runtime.guard.limits import check_inputs, check_values
from vnvision.runtime.guard.refusal import UnfitError, shown
from vnvision.spec import PreprocessSpec

MOST_BYTES = 32 << 20
_DEEPEST = 32
_OPSET = re.compile(r"opset\d{1,2}")
_INTEGER = re.compile(r"-?\d{1,18}")
_REFUSED = {
    "Loop": "repeats",
    "TensorIterator": "repeats",
    "RandomUniform": "answers by chance",
    "Multinomial": "answers by chance",
    "ReadValue": "remembers earlier pictures",
    "Assign": "remembers earlier pictures",
}
_BITS = {"f64": 64, "f32": 32, "f16": 16, "bf16": 16, "i64": 64, "i32": 32, "i16": 16, "i8": 8, "u64": 64,
         "u32": 32, "u16": 16, "u8": 8, "boolean": 8, "i4": 4, "u4": 4, "nf4": 4, "u1": 1, "f8e4m3": 8,
         "f8e5m2": 8}  # fmt: skip
_SIDES = {"pads_begin": 1024, "pads_end": 1024, "strides": 1024, "dilations": 1024, "kernel": 4096,
          "output_padding": 1024}  # fmt: skip


class _Reader:
    """Layers as they come: what is wrong with one is raised at once, inputs are kept."""

    def __init__(self, weights: int) -> None:
        self.weights, self.depth, self.inputs = weights, 0, list[tuple[tuple[int | None, ...], bool]]()
        self.layer, self.kind, self.root, self.sides, self.text = "", "", "", list[int | None](), ""

    def start(self, tag: str, keys: dict[str, str]) -> None:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise UnfitError("nests too deeply")
        self.root = self.root or tag
        if tag == "layer":
            self.kind = keys.get("type", "")
            self.layer = f"{shown(self.kind, 40)} {shown(keys.get('name', ''), 60)}"
            if not _OPSET.fullmatch(keys.get("version", "")):
                raise UnfitError(
                    "needs an operator of another library",
                    expected="standard operators only",
                    got=f"{shown(keys.get('version', 'none'), 40)} {self.layer}",
                )
            if self.kind in _REFUSED:
                raise UnfitError(f"has an operator that {_REFUSED[self.kind]}", got=self.layer)
        elif tag == "data":
            self._data(keys)
        elif tag == "port":
            self.sides = []
        elif tag == "dim":
            self.text = ""

    def end(self, tag: str) -> None:
        self.depth -= 1
        if tag == "dim":
            found = _INTEGER.fullmatch(self.text.strip())
            if found is None:
                raise UnfitError(
                    f"has a tensor of absurd size ({self.layer})", got=shown(self.text.strip(), 40)
                )
            self.sides.append(None if int(found[0]) == -1 else int(found[0]))
        elif tag == "port":
            check_values(self.layer, self.sides)

    def characters(self, text: str) -> None:
        self.text = (self.text + text)[:64]

    def _data(self, keys: dict[str, str]) -> None:
        for key in _SIDES.keys() & keys.keys():
            values = [abs(side) for side in _shape(keys[key], self.layer) if side is not None]
            if max(values, default=0) > _SIDES[key]:
                raise UnfitError(
                    f"has an absurd {key}",
                    expected=f"at most {_SIDES[key]}",
                    got=f"{keys[key]} in {self.layer}",
                )
        if self.kind not in ("Const", "Parameter"):
            return
        shape = _shape(keys.get("shape", ""), self.layer)
        kind = keys.get("element_type", "")
        if self.kind == "Parameter":
            check_values(self.layer, shape)
            self.inputs.append((shape, kind == "f32"))
            return
        offset, size = _number(keys, "offset", self.layer), _number(keys, "size", self.layer)
        if kind not in _BITS:
            raise UnfitError(
                f"has a tensor of a type that models of pictures have not ({self.layer})", got=shown(kind, 40)
            )
        wanted = (check_values(self.layer, shape) * _BITS[kind] + 7) // 8
        if size != wanted or offset + size > self.weights:
            raise UnfitError(
                f"has a tensor that is not as long as it says, or lies outside its weights ({self.layer})",
                expected=f"{wanted} bytes within {self.weights}",
                got=f"{size} at {offset}",
            )


def check_openvino(data: bytes, weights: int, spec: PreprocessSpec) -> None:
    """Refuse a model description that reaches outside its weights or asks for what no model here needs.

    Refused: document types and entities (a few of them can expand to gigabytes); operators of other
    libraries, loops, chance, memory between pictures; constants outside the weights; absurd shapes; other
    inputs than the manifest says. Not bounded: see ``check_onnx``.

    Args:
        data: the ``.xml`` file.
        weights: length of the ``.bin`` file in bytes.
        spec: what the manifest says of the input.

    Raises:
        UnfitError: in one line what is wrong.
    """
    reader, parser = _Reader(weights), expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _no_document_type
    try:
        parser.Parse(data, True)
    except expat.ExpatError as exc:
        raise UnfitError("is not XML", got=str(exc)) from exc
    if reader.root != "net":
        raise UnfitError("is no OpenVINO model", expected="<net>", got=shown(f"<{reader.root}>", 40))
    check_inputs(reader.inputs, spec)


def _no_document_type(*_: object) -> None:
    raise UnfitError("has a document type or entities", expected="plain XML")


def _shape(text: str, layer: str) -> tuple[int | None, ...]:
    """``?,3,224,224`` as sides; a range such as ``1..8`` is as good as its end."""
    sides: list[int | None] = []
    for part in text.split(",") if text.strip() else ():
        last = part.strip().rpartition("..")[2] or "?"
        if last != "?" and _INTEGER.fullmatch(last) is None:
            raise UnfitError(f"has a tensor of absurd size ({layer})", got=shown(text, 60))
        sides.append(None if last in ("?", "-1") else int(last))
    return tuple(sides)


def _number(keys: dict[str, str], key: str, layer: str) -> int:
    text = keys.get(key, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UnfitError(f"has a tensor without its {key} ({layer})", got=shown(text, 40))
    return int(text)
