"""Data cards: what a data set holds, for people, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from vnvision.data.describe import describe
from vnvision.data.manifest import Manifest

__all__ = ["data_card", "describe"]


def data_card(manifest: Manifest, *, title: str | None = None, images: bool = True) -> str:
    """A Markdown card: counts, rights, image facts and warnings.

    Args:
        manifest: what to describe.
        title: heading; the manifest's folder name unless given.
        images: whether to read format and size from every file's header.
    """
    facts = describe(manifest, images=images)
    about = facts["manifest"]
    lines = [f"# {_cell(title or manifest.path.resolve().parent.name)}", ""]
    lines += [
        f"- Images: {about['rows']}",
        f"- Leakage groups: {about['groups']}"
        + (f" ({about['rows_without_group']} rows name none)" if about["rows_without_group"] else ""),
        f"- Manifest: {_cell(about['name'])}, sha256 `{about['sha256']}`",
        "",
    ]
    if facts["warnings"]:
        lines += ["## Warnings", "", *(f"- {_cell(text)}" for text in facts["warnings"]), ""]
    lines += _label_table(facts)
    for heading, key in (
        ("Regions", "regions"),
        ("Sources", "sources"),
        ("Licences", "licences"),
        ("Consent", "consents"),
    ):
        lines += _count_table(heading, facts[key])
    if facts["images"] is not None:
        lines += _image_section(facts["images"])
    return "\n".join(lines).rstrip() + "\n"


def _label_table(facts: Mapping[str, Any]) -> list[str]:
    splits, labels = facts["splits"], facts["labels"]
    header = ["label", "all", *splits]
    body = [
        [label, count, *(part["labels"].get(label, 0) for part in splits.values())]
        for label, count in labels.items()
    ]
    about = facts["manifest"]
    for name, total, key in (
        ("no label", about["rows_without_label"], "unlabelled"),
        ("images", about["rows"], "images"),
        ("groups", about["groups"], "groups"),
    ):
        body.append([name, total, *(part[key] for part in splits.values())])
    return ["## Labels and splits", "", *_table(header, body), ""]


def _count_table(heading: str, counts: Mapping[str, int]) -> list[str]:
    if set(counts) == {""}:
        return [f"## {heading}", "", "Not stated.", ""]
    body = [[value or "not stated", count] for value, count in counts.items()]
    return [f"## {heading}", "", *_table(["value", "images"], body), ""]


def _image_section(images: Mapping[str, Any]) -> list[str]:
    lines = ["## Images", ""]
    formats = ", ".join(f"{name} {count}" for name, count in images["formats"].items())
    lines.append(f"- Formats: {formats or 'none'}")
    if images["unreadable"]:
        lines.append(f"- Unreadable: {images['unreadable']}")
    for name, key in (("Width", "width_px"), ("Height", "height_px")):
        if key in images:
            edges = images[key]
            lines.append(f"- {name}: {edges['min']} to {edges['max']} px, median {edges['median']:g}")
    sizes = ", ".join(f"{size} ({count})" for size, count in images["commonest_sizes"].items())
    lines.append(f"- Sizes: {images['different_sizes']} different; commonest {sizes or 'none'}")
    return [*lines, ""]


def _table(header: Sequence[str], body: Iterable[Sequence[object]]) -> list[str]:
    rows = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in rows]


def _cell(value: object) -> str:
    """Text that cannot break out of a Markdown table or become markup."""
    text = " ".join(str(value).split())
    for mark in ("\\", "|", "<", "`", "[", "*"):
        text = text.replace(mark, "\\" + mark)
    return text
