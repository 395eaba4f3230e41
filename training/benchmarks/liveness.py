"""How well MiniFASNet tells live faces from printed photos, on the frames of ``faces/nuaa_sample``.

    python training/benchmarks/liveness.py --weights DIR [--data DIR]

Prints a table for BENCHMARKS: each network alone and both fused. Every threshold but 0.5 is found
on the frames it is judged on, but for the last rows: found on every second subject, judged on the others.
``sharpness`` is a control without any network: how much the second derivative of the face varies. What it
reaches says how easy these photos are. Needs torch, for the conversion only.
"""

from __future__ import annotations

import argparse
import csv
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from minifasnet import convert

from vnvision import atomic
from vnvision.faces.detector import YuNet
from vnvision.faces.engine import area
from vnvision.faces.liveness import Liveness, context_box, context_factor
from vnvision.imaging import read
from vnvision.metrics.attack_points import AttackPoint, apcer_at_bpcer, bpcer_at_apcer, detection_eer
from vnvision.metrics.attacks import AttackRates, Presentations, attack_rates
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.ranking import RankedScores
from vnvision.records import Face, Metric

SET, LIVE = "nuaa_sample", "client"
SHARPNESS = "sharpness (control)"
TARGETS = (0.05, 0.01)


@dataclass(frozen=True)
class Frames:
    """The frames of the set, each with its largest face (None where none was found)."""

    paths: list[str]
    images: list[np.ndarray]
    faces: list[Face | None]
    species: list[str | None]
    subjects: list[str]

    def presentations(self, scores: np.ndarray) -> Presentations:
        """With scores (F,) of the frames that have a face."""
        values = iter(scores.tolist())
        return Presentations.of(
            [None if face is None else next(values) for face in self.faces], self.species, self.subjects
        )

    def found(self) -> tuple[list[np.ndarray], list[Face]]:
        pairs = [pair for pair in zip(self.images, self.faces, strict=True) if pair[1] is not None]
        return [image for image, _ in pairs], [face for _, face in pairs if face is not None]


def load_frames(data: Path) -> Frames:
    with (data / "faces" / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["set"] == SET]
    images = [read(data / "faces" / row["path"]).image for row in rows]
    detector = YuNet(threads=1)
    found = [face for at in range(0, len(images), 16) for face in detector.detect(images[at : at + 16])]
    return Frames(
        paths=[row["path"] for row in rows],
        images=images,
        faces=[max(faces, key=area) if faces else None for faces in found],
        species=[None if row["group"] == LIVE else row["group"] for row in rows],
        subjects=[row["identity"] for row in rows],
    )


def sharpness(image: np.ndarray, face: Face) -> float:
    x0, y0, x1, y1 = context_box(face.box_xyxy_px, 1.0, (image.shape[0], image.shape[1]))
    grey = cv2.cvtColor(np.ascontiguousarray(image[y0:y1, x0:x1]), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())


def auroc(data: Presentations) -> Metric:
    """Over the frames with a face, interval by resampling subjects."""
    kept = data.answered
    ranked = RankedScores(data.scores[kept], data.species[kept] < 0)
    bootstrap = ClusterBootstrap(data.subjects[kept].tolist())
    value = float(ranked.metrics(np.ones((int(kept.sum()), 1)))["auroc"][0])
    draws = resample(lambda weights: {"auroc": ranked.metrics(weights)["auroc"]}, bootstrap)["auroc"]
    return summarise(value, draws, n=int(kept.sum()), n_groups=bootstrap.n_groups)


def halves(data: Presentations, target: float) -> AttackRates:
    """Threshold for a BPCER on the subjects with even codes, rates on those with odd ones."""
    even, odd = (_part(data, data.subjects % 2 == rest) for rest in (0, 1))
    return attack_rates(odd, apcer_at_bpcer(even, target).rates.threshold)


def _part(data: Presentations, rows: np.ndarray) -> Presentations:
    return replace(data, scores=data.scores[rows], species=data.species[rows], subjects=data.subjects[rows])


def score(model: Liveness, frames: Frames) -> tuple[dict[str, Presentations], float]:
    """Scores by what gave them, and milliseconds a face for all networks."""
    images, faces = frames.found()
    began = time.perf_counter()
    each = model.model_scores(images, faces)
    milliseconds = 1000 * (time.perf_counter() - began) / len(faces)
    named = {Path(spec.file).stem.split("_")[-1]: each[:, i] for i, spec in enumerate(model.models)}
    sharp = np.array([sharpness(*pair) for pair in zip(images, faces, strict=True)])
    named |= {"both (mean)": each.mean(axis=1), SHARPNESS: sharp}
    return {name: frames.presentations(values) for name, values in named.items()}, milliseconds


def context(model: Liveness, frames: Frames) -> dict[str, float]:
    """Median factor that the boxes grow by inside their frames, for each network's scale."""
    pairs = list(zip(*frames.found(), strict=True))
    return {
        f"{spec.scale:g}": float(
            np.median([context_factor(f.box_xyxy_px, spec.scale, im.shape[:2]) for im, f in pairs])
        )
        for spec in model.models
    }


def by_context(data: Presentations, model: Liveness, frames: Frames) -> dict[str, AttackRates]:
    """Rates at 0.5 of the frames where the box can grow by less than 2, by 2 to 2.7, by more."""
    wide = max(spec.scale for spec in model.models)
    grown = np.full(len(frames.faces), np.nan)
    for row, (image, face) in enumerate(zip(frames.images, frames.faces, strict=True)):
        if face is not None:
            grown[row] = context_factor(face.box_xyxy_px, wide, image.shape[:2])
    limits = {"below 2": (0, 2), "2 to 2.7": (2, 2.7), "2.7 or more": (2.7, np.inf)}
    parts = {name: _part(data, (grown >= low) & (grown < high)) for name, (low, high) in limits.items()}
    return {name: attack_rates(part, 0.5) for name, part in parts.items()}


def measure(scored: dict[str, Presentations]) -> dict[str, dict[str, object]]:
    """Everything that is reported, as records."""
    table: dict[str, dict[str, object]] = {}
    for name, data in scored.items():
        row: dict[str, object] = {"AUROC": auroc(data), "D-EER": detection_eer(data)[0].rate}
        if name != SHARPNESS:
            row["at 0.5"] = attack_rates(data, 0.5)
        for target in TARGETS:
            row[f"BPCER <= {target:g}"] = apcer_at_bpcer(data, target)
            row[f"APCER <= {target:g}"] = bpcer_at_apcer(data, target)
        row["other half, BPCER <= 0.05"] = halves(data, 0.05)
        table[name] = row
    return table


def text(metric: Metric) -> str:
    if metric.value is None:
        return "-"
    interval = "" if metric.low is None else f" [{metric.low:.3f}, {metric.high:.3f}]"
    return f"{metric.value:.3f}{interval}"


def markdown(table: dict[str, dict[str, object]]) -> str:
    lines = [
        "| scores | threshold | APCER | BPCER | ACER | presentations behind it |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in table.items():
        separation = [f"{key} {text(item)}" for key, item in row.items() if isinstance(item, Metric)]
        lines.append(f"| {name} | {', '.join(separation)} | | | | |")
        for what, item in row.items():
            rates = item.rates if isinstance(item, AttackPoint) else item
            if not isinstance(rates, AttackRates):
                continue
            enough = "" if not isinstance(item, AttackPoint) or item.supported else f" ({item.needed} needed)"
            n = f"{rates.worst_apcer.n} attacks, {rates.bpcer.n} bona fide{enough}"
            cells = [text(metric) for metric in (rates.worst_apcer, rates.bpcer, rates.acer)]
            lines.append(f"| {name} | {what}: {rates.threshold:.4g} | {' | '.join(cells)} | {n} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--weights", required=True, help="folder with the two published .pth files")
    parser.add_argument("--data", default=os.environ.get("VNVISION_DATA"), help="default: VNVISION_DATA")
    args = parser.parse_args()
    if not args.data:
        parser.error("--data or VNVISION_DATA must name the data folder")
    data = Path(args.data)
    with tempfile.TemporaryDirectory() as folder:
        model = Liveness.from_folder(convert(args.weights, folder), threads=1)
        frames = load_frames(data)
        scored, milliseconds = score(model, frames)
    print(markdown(measure(scored)))
    fused = scored["both (mean)"]
    rates = attack_rates(fused, 0.5)
    manifest = atomic.sha256_file(data / "faces" / "manifest.csv")[:12]
    print(f"\n{len(frames.paths)} frames, {len(set(frames.subjects))} subjects, manifest {manifest}")
    print(f"no face: BPNRR {text(rates.bpnrr)}, APNRR {text(rates.species[0].apnrr)}")
    grown = ", ".join(f"{value:.2f} of {scale}" for scale, value in context(model, frames).items())
    print(f"box grows by (median) {grown}; {milliseconds:.1f} ms a face, one thread")
    for name, part in by_context(fused, model, frames).items():
        print(f"growth {name}: BPCER at 0.5 {text(part.bpcer)}, {part.bpcer.n} bona fide")


if __name__ == "__main__":
    main()
