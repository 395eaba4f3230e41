"""The worst pictures with the outlines of truth and answer drawn over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vnvision.evaluate.outlines import Shape, parse_outlines
from vnvision.records import Mistake
from vnvision.report.phrases import Html, Quantity, phrase, show
from vnvision.report.pictures import thumbnail_and_size

SIZE_PX = 320


@dataclass(frozen=True, slots=True)
class Outlined:
    """One picture: ``drawn`` is an SVG to lay over it, empty where there is no picture."""

    uri: str | None
    path: str
    drawn: Html
    confidence: Html
    width: str


def outlined_picture(mistake: Mistake, kind: str, image_root: Path | None) -> Outlined:
    """One of the worst pictures, under the rules of ``pictures.thumbnail``.

    Args:
        mistake: ``truth`` and ``answer`` are outlines, ``probability`` is the agreement.
        kind: segmentation or detection.
        image_root: folder of the picture; None for no picture.
    """
    truth, answer = parse_outlines(mistake.truth) or (), parse_outlines(mistake.answer) or ()
    found = thumbnail_and_size(image_root, mistake.path, SIZE_PX)
    drawn = Html("")
    if found is not None:
        height, width = found[1]
        drawn = Html(f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{_paths(truth, answer)}</svg>')
    value = Quantity(mistake.probability, "short")
    said = phrase("agreement_masks", value=value)
    if kind == "detection":
        said = phrase("agreement_boxes", value=value, truth=len(truth), answer=len(answer))
    share = f"{100 * mistake.probability:.1f}%"
    return Outlined(found[0] if found else None, mistake.path, drawn, show(said), share)


def _paths(truth: Sequence[Shape], answer: Sequence[Shape]) -> str:
    """Outlines over a dark rim, so that they show on any picture; the answer's is dashed: both show."""
    lines = [
        "".join("M" + "L".join(f"{x:g} {y:g}" for x, y in shape.points) + "Z" for shape in shapes)
        for shapes in (truth, answer)
    ]
    looks = ("rim", "rim", "is-truth", "is-answer")
    pairs = zip(looks, lines * 2, strict=True)
    return "".join(f'<path class="{css}" d="{line}"/>' for css, line in pairs if line)
