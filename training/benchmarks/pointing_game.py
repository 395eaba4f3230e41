"""Do heatmaps of a lesion classifier follow the lesion masks, and do they depend on what was learnt?

    python training/benchmarks/pointing_game.py --run FOLDER --split val --out FOLDER

On the pictures of ``--split`` whose mask holds something: how often the hottest pixel of the heatmap of the
true class lies in the mask (the pointing game, Zhang et al. 2016), and the share of the heat inside, for the
class activation map and for occlusion on the exported bundle and for Grad-CAM in torch. Beside them what
pointing blindly and what pointing at the middle of the picture scores. Then the same after the weights were
drawn anew, and the rank correlation of those maps with the trained ones (Adebayo et al. 2018, "Sanity Checks
for Saliency Maps"): heatmaps that show edges rather than what was learnt would stay alike.

The run's manifest needs a column ``mask``. Writes ``pointing_SPLIT.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from vnvision.data.manifest import Manifest, Row, read_manifest
from vnvision.data.masks import read_mask
from vnvision.export.run import export_run
from vnvision.imaging import read
from vnvision.metrics.bootstrap import ClusterBootstrap, resample, summarise
from vnvision.metrics.pointing import centre_hit, heat_inside, pointing_hit
from vnvision.models import build_backbone
from vnvision.models.explained import ExplainedNet
from vnvision.models.gradcam import grad_cam
from vnvision.runtime import Predictor, load_bundle
from vnvision.runtime.heatmap import to_picture, unit_range
from vnvision.train.predictor import RunPredictor, load_run

SEEDS = (0, 1, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--occlusion", type=int, default=0, help="pictures to occlude; it takes 200 inferences each"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    run = load_run(options.run)
    model = exported(options.run, options.out / "bundles" / run.name)
    manifest = read_manifest(run.config["data"]).split(options.split)
    wanted = [i for i, row in enumerate(manifest.rows) if lesion(manifest, row) is not None]
    part = manifest.where(wanted)
    nets = {"trained": ExplainedNet(run.net, has_cam=True)} | {
        f"random {s}": random_net(run, s) for s in SEEDS
    }
    rows = [scored(model, run, nets, part, row, i < options.occlusion) for i, row in enumerate(part.rows)]
    result = summed(rows, part.group_keys())
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / f"pointing_{options.split}.json").write_text(json.dumps(result, indent=1))
    for name, cell in result.items():
        low, high = (f"{cell[end]:.3f}" if cell[end] is not None else "-" for end in ("low", "high"))
        print(f"{name:<32}{cell['value']:.3f} [{low}, {high}] n {cell['n']}")


def lesion(manifest: Manifest, row: Row) -> np.ndarray | None:
    """The row's mask (H, W) bool, or None where it is unknown or empty."""
    image = read(manifest.file(row)).image
    mask = read_mask(manifest, row, 2, image.shape[:2])
    return None if mask is None or not mask.any() else mask > 0


def exported(run: Path, folder: Path) -> Predictor:
    if not (folder / "manifest.json").is_file():
        export_run(run, folder, targets=("onnx", "openvino"))
    return load_bundle(folder, threads=1)


def random_net(run: RunPredictor, seed: int) -> ExplainedNet:
    """The same network with weights drawn anew, its BatchNorm statistics measured on noise."""
    torch.manual_seed(seed)
    net = build_backbone(
        run.config["backbone"], len(run.task.labels), weights="none", norm=run.config["norm"]
    )
    with torch.no_grad():
        net.train()
        for _ in range(5):
            net(torch.randn(8, 3, *run.task.preprocess.size_px))
    return ExplainedNet(net.eval(), has_cam=True)


def scored(
    model: Predictor,
    run: RunPredictor,
    nets: dict[str, ExplainedNet],
    part: Manifest,
    row: Row,
    occlude: bool,
) -> dict[str, float]:
    """Every score of one picture."""
    image, mask = read(part.file(row)).image, lesion(part, row)
    assert mask is not None
    assert row.label is not None
    label = run.task.label_ids.index(row.label)
    batch = torch.from_numpy(run.preprocessor.batch([image]))
    heat = {"cam": model.heatmap(image, row.label, "cam")}
    if occlude:
        heat["occlusion"] = model.heatmap(image, row.label, "occlusion")
    torch_map = grad_cam(run.net, batch, [label])[0]
    size = (image.shape[0], image.shape[1])
    heat["grad-cam"] = unit_range(to_picture(torch_map, size, run.task.preprocess))
    out = {"blind": float(mask.mean()), "centre": centre_hit(mask)}
    planes = {}
    for name, net in nets.items():
        with torch.inference_mode():
            planes[name] = net(batch)[2][0, label].numpy()
        if name != "trained":
            heat[name] = unit_range(to_picture(planes[name], size, run.task.preprocess))
    for name, one in heat.items():
        kind = "random weights" if name.startswith("random") else name
        out[f"{kind}: hit"] = out.get(f"{kind}: hit", 0.0) + pointing_hit(one, mask) / shares(name)
        out[f"{kind}: inside"] = out.get(f"{kind}: inside", 0.0) + heat_inside(one, mask) / shares(name)
    out["cam: hit, less centre"] = out["cam: hit"] - out["centre"]
    ranks = [spearman(planes["trained"], planes[f"random {seed}"]) for seed in SEEDS]
    out["rank correlation with random"] = float(np.mean(ranks))
    out["its size"] = float(np.mean(np.abs(ranks)))
    return out


def shares(name: str) -> int:
    return len(SEEDS) if name.startswith("random") else 1


def spearman(one: np.ndarray, other: np.ndarray) -> float:
    """Rank correlation of two maps."""
    ranks = np.stack([plane.ravel().argsort().argsort() for plane in (one, other)]).astype(float)
    return float(np.corrcoef(ranks)[0, 1])


def summed(rows: list[dict[str, float]], groups: list[str]) -> dict[str, Any]:
    """Mean of every score with an interval over groups."""
    result = {}
    for name in dict.fromkeys(key for row in rows for key in row):
        have = [i for i, row in enumerate(rows) if name in row]
        values = np.array([rows[i][name] for i in have])
        bootstrap = ClusterBootstrap([groups[i] for i in have])
        draws = resample(lambda w, v=values: {"mean": v @ w / w.sum(0)}, bootstrap).get("mean")
        metric = summarise(float(values.mean()), draws, n=len(values), n_groups=bootstrap.n_groups)
        result[name] = metric.model_dump()
    return result


if __name__ == "__main__":
    main()
