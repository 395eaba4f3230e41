"""README and licences of a face kit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from vnvision.export.face_kit.embedders import KitEmbedder
from vnvision.faces.weights import KNOWN

TEMPLATES = Path(__file__).parent / "templates"  # files, never imported


def readme(about: Mapping[str, Any], figures: Sequence[Mapping[str, Any]], source: KitEmbedder) -> str:
    """``README.md``.

    Args:
        about: the manifest.
        figures: of the self-test that the kit passed.
        source: the embedder.
    """
    versions, how, spec = about["proven_with"], about["detector"], about["embedder"]
    proof = "\n".join(f"| {item['name']} | {item['value']:.3g} | {item['limit']:g} |" for item in figures)
    flip = source.spec.flip_average
    text = (TEMPLATES / "README.md").read_text("utf-8")
    return Template(text).substitute(
        engine=about["engine"],
        install=" ".join(f"'{versions[key]}'" for key in ("numpy", "opencv", about["engine"])),
        python=versions["python"],
        embedder=source.name,
        length=spec["length"],
        h=spec["size_px"][0],
        w=spec["size_px"][1],
        colour=spec["colour"].upper() if spec["colour"] != "grey" else "grey",
        side=how["max_side_px"],
        cell=how["multiple_px"],
        score=how["min_score"],
        overlap=how["overlap"],
        border=f"{how['second_look_border']:.0%}",
        flip="A crop and its mirror image are embedded and added. " * flip,
        threshold=_chosen(about["thresholds"]["chosen"]),
        threshold_vi=_chosen_vi(about["thresholds"]["chosen"]),
        points=_points(about["thresholds"]["points"]),
        proof=proof,
        networks="\n".join(
            f"| `{'`, `'.join(about[name]['files'])}` | the {name} |" for name in ("detector", "embedder")
        ),
    )


def licences(source: KitEmbedder, n_pictures: int = 0) -> str:
    """What is under which licence; ``n_pictures`` were given by whoever made the kit."""
    further = f", and {n_pictures} given by whoever made this kit" if n_pictures else ", no one's face"
    data = ", ".join(source.training_data) or "not stated"
    return (
        "# Licences\n\n"
        "| part | licence | text |\n| --- | --- | --- |\n"
        "| face_chain.py, self_test.py, example.py | Apache-2.0, vnvision | APACHE-2.0.txt |\n"
        f"| detector: {KNOWN['yunet'].source} | {KNOWN['yunet'].licence} | YUNET-MIT.txt |\n"
        f"| embedder: {source.name} | {source.licence} | {_text_of(source.licence)} |\n"
        f"| golden.npz | Apache-2.0; drawn pictures{further} | APACHE-2.0.txt |\n\n"
        "Changed from what was published (YuNet, and SFace where it is the embedder): weights stored in 8 "
        "bits by blocks are stored in float32, with the values they stood for; sizes are left open; the "
        "files are in the format of the kit's engine.\n\n"
        f"Training data of the embedder: {data}.\n"
    )


def _text_of(licence: str) -> str:
    return "APACHE-2.0.txt" if licence == "Apache-2.0" else "ask its owner"


def _chosen(chosen: Mapping[str, Any]) -> str:
    value = f"{chosen['value']:.4f}"
    if chosen["target"] is None:
        return f"{value}, stated by whoever made this kit: no rate is known of it"
    whom = f"the strictest of {chosen['populations']} populations, " if chosen["populations"] > 1 else ""
    return f"{value} for `{chosen['target']}` ({whom}{chosen['population']})"


def _chosen_vi(chosen: Mapping[str, Any]) -> str:
    value = f"{chosen['value']:.4f}"
    if chosen["target"] is None:
        return f"{value}, do người tạo bộ này tự đặt: chưa biết tỷ lệ nhận nhầm"
    whom = f"cao nhất trong {chosen['populations']} nhóm người, " if chosen["populations"] > 1 else "nhóm "
    return f"{value} cho `{chosen['target']}` ({whom}{chosen['population']})"


def _points(points: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| population | asked for | threshold | measured | 95 % interval | comparisons |",
             "| --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for point in points:
        rate = point["achieved"]
        low, high = (f"{rate[key]:.1e}" if key in rate else "?" for key in ("low", "high"))
        value = f"{rate['value']:.1e}" if "value" in rate else "?"
        row = (point["population"], point["target"], f"{point['threshold']:.4f}", value, f"{low} to {high}",
               f"{point['n']:,}")  # fmt: skip
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) if points else "None was measured for this embedder."
