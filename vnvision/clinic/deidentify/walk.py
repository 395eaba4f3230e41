"""A data set built anew from what may stay of another, sequences and all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydicom.datadict import DicomDictionary
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from vnvision.clinic.deidentify import allowed, codes, content, facts, luts, rules, values
from vnvision.clinic.deidentify.faults import FAULTS
from vnvision.clinic.deidentify.identity import Identity, exact, is_uid
from vnvision.clinic.deidentify.options import Options
from vnvision.errors import DataError

MAX_DEPTH = 40
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_DRAWN = frozenset({0x00700008, 0x00700009, 0x00700209})  # text, graphic, compound graphic


class Walker:
    """Walks a data set and its sequences.

    Args:
        identity: what stands in for the patient.
        options: what is retained and cleaned.

    Attributes:
        counts: how many elements were kept, removed, emptied, replaced, and how many UIDs remapped.
    """

    def __init__(self, identity: Identity, options: Options) -> None:
        self._identity, self._options = identity, options
        self.counts: Counter[str] = Counter()

    def walk(self, source: Dataset, depth: int = 0) -> Dataset:
        """The new data set; pixel data and file meta information are not part of it.

        Raises:
            DataError: sequences in sequences beyond ``MAX_DEPTH``.
        """
        if depth > MAX_DEPTH:
            raise DataError("sequences are nested too deep", expected=f"at most {MAX_DEPTH} levels")
        made = Dataset()
        for tag in sorted(source.keys()):
            if tag in PIXELS and depth == 0:
                continue
            element = self._element(source, tag, depth)
            if element is None:
                self.counts["removed"] += 1
            elif element.tag not in made:
                made.add(element)
        luts.check(made, self.counts)
        allowed.private(source, made, self._options, self.counts)
        return made

    def _element(self, source: Dataset, tag: BaseTag, depth: int) -> DataElement | None:
        entry = DicomDictionary.get(tag)
        if tag.is_private or entry is None or tag >> 16 < 8 or tag in PIXELS:
            return None
        action = rules.action(tag, self._options)
        if action in ("remove", "empty"):
            return None if action == "remove" else self._empty(tag, entry[0].split(" ")[0])
        try:
            element = source[tag]
            value = element.value
        except FAULTS:
            return None
        if element.VR not in entry[0].split(" or "):
            return None
        try:
            return self._act(element, value, action, depth)
        except FAULTS:  # a value of another kind than its VR says
            return None

    def _act(self, element: DataElement, value: Any, action: rules.Action, depth: int) -> DataElement | None:
        vr = str(element.VR)
        if vr == "SQ":
            return self._sequence(element, value, action, depth)
        found = values.listed(value)
        if not found:
            return self._empty(element.tag, vr)
        if action == "clean":
            kept = self._clean(element.tag, vr, found)
            if kept is not None:
                return self._new(element.tag, vr, kept, "cleaned")
            action = rules.basic(element.tag)
        match action:
            case "uid":
                return self._new(element.tag, vr, self._uids(found, vr), "uids") if vr == "UI" else None
            case "keep":
                return self._keep(element.tag, vr, found)
            case "dummy":
                dummy = self._uids(found, vr) if vr == "UI" else values.DUMMY.get(vr)
                return None if dummy is None else self._new(element.tag, vr, dummy, "replaced")
            case "allow":
                return self._allow(element, vr, found)
            case _:
                return None if action == "remove" else self._empty(element.tag, vr)

    def _allow(self, element: DataElement, vr: str, found: list[Any]) -> DataElement | None:
        rule = facts.keep().get(int(element.tag))
        if rule in ("device", "dummy"):
            kept = rule == "device" and "device" in self._options.retain
            return self._new(
                element.tag, vr, found if kept else values.REMOVED, "kept" if kept else "replaced"
            )
        if rule == "empty":
            return self._empty(element.tag, vr)
        kept_values = allowed.values_of(element, vr, found, rule)
        if kept_values is not None:
            return self._new(element.tag, vr, kept_values, "kept")
        return self._empty(element.tag, vr) if allowed.stays_empty(int(element.tag), vr, rule) else None

    def _keep(self, tag: BaseTag, vr: str, found: list[Any]) -> DataElement | None:
        """What an option retains: well-formed values as they are; anything else as the Basic Profile says."""
        if vr in values.DATES:
            kept: Any = [exact(str(value), vr) for value in found]
        elif vr == "UI":
            kept = [value if is_uid(str(value)) else None for value in found]
        elif vr == "AS":
            kept = [values.age(str(value)) for value in found]
        elif vr in values.TEXTS:
            kept = found
        else:
            kept = allowed.plain(vr, found)
        if kept is None or None in kept:
            return self._empty(tag, vr) if rules.basic(tag) == "empty" else None
        return self._new(tag, vr, kept, "kept")

    def _clean(self, tag: BaseTag, vr: str, found: list[Any]) -> Any:
        if vr in values.DATES:
            moved = [self._identity.moved(str(value), vr) for value in found]
            return None if None in moved else moved
        if vr in values.TEXTS and vr != "PN":
            return " ".join(filter(None, (values.description(str(value)) for value in found))) or None
        return None

    def _uids(self, found: Sequence[Any], vr: str) -> list[str]:
        self.counts["uids"] += len(found)
        texts = [str(uid).strip(" \0") for uid in found]
        return [t if not t or allowed.registered(t) else self._identity.uid(t) for t in texts]

    def _sequence(
        self, element: DataElement, items: Any, action: rules.Action, depth: int
    ) -> DataElement | None:
        tag = int(element.tag)
        if tag in _DRAWN and "graphics" not in self._options.clean:
            return None
        if tag == content.TAG and action == "dummy":
            self.counts["content removed"] += 1
            return self._new(element.tag, "SQ", [content.dummy()], "replaced")
        made = []
        for item in items or ():
            if codes.is_code(item):
                code = codes.published(item)
                self.counts["codes removed" if code is None else "kept"] += 1
                made += [] if code is None else [code]
            else:
                built = self.walk(item, depth + 1)
                made += [] if tag == content.TAG and not content.may_stay(built) else [built]
        if not any(len(item) for item in made):
            required = action == "dummy" or facts.keep().get(tag) == "empty"
            return self._empty(element.tag, "SQ") if required else None
        return self._new(element.tag, "SQ", made, "kept")

    def _new(self, tag: BaseTag, vr: str, value: Any, counted: str) -> DataElement:
        self.counts[counted] += 1
        single = isinstance(value, list) and vr != "SQ" and len(value) == 1
        return DataElement(Tag(tag), vr, value[0] if single else value)

    def _empty(self, tag: BaseTag, vr: str) -> DataElement:
        self.counts["emptied"] += 1
        return DataElement(Tag(tag), vr, [] if vr == "SQ" else None)
