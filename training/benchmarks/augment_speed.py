"""Augmentation on one core: ours against torchvision on PIL images and albumentations, in turn, in one run.

    python training/benchmarks/augment_speed.py --samples 300 --rounds 5

All get a decoded 500 x 500 picture and give 224 x 224. torchvision does less (no turn, shadow, noise, JPEG or
cutout), so its ratio flatters it. CPU time of one process, one OpenCV and torch thread. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # or it asks a server for its newest version on import

import cv2
import numpy as np

from vnvision.data.augment import PRESETS, Augmenter
from vnvision.data.synthetic import draw_leaf

SIDE, SIZE = 500, 224


def ours(image: np.ndarray, preset: str) -> Callable[[int], object]:
    augmenter = Augmenter(PRESETS[preset], SIZE)
    return lambda index: augmenter(image, (0, 0, index))


def torchvision_pil(image: np.ndarray) -> Callable[[int], object]:
    import torch
    from PIL import Image
    from torchvision import transforms as T

    torch.set_num_threads(1)
    picture = Image.fromarray(image)
    steps = T.Compose(
        [
            T.RandomResizedCrop(SIZE, scale=(0.5, 1.0), ratio=(0.8, 1.25)),
            T.RandomHorizontalFlip(),
            T.RandomVerticalFlip(),
            T.ColorJitter(0.3, 0.3, 0.3, 0.03),
        ]
    )
    return lambda index: steps(picture)


def albumentations_cv2(image: np.ndarray) -> Callable[[int], object]:
    import albumentations as A

    steps = A.Compose(
        [
            A.RandomResizedCrop((SIZE, SIZE), scale=(0.5, 1.0), ratio=(0.8, 1.25)),
            A.HorizontalFlip(p=0.5),
            A.VerticalFlip(p=0.5),
            A.Rotate(45, p=1.0),
            A.ColorJitter((0.7, 1.3), (0.7, 1.3), (0.7, 1.3), (-0.03, 0.03), p=1.0),
            A.RandomShadow(p=0.3),
            A.GaussianBlur(sigma_limit=(0.3, 1.2), p=0.2),
            A.GaussNoise(p=0.15),
            A.ImageCompression(quality_range=(40, 90), p=0.15),
            A.CoarseDropout(num_holes_range=(1, 1), p=0.15),
        ]
    )

    def step(index: int) -> object:
        steps.set_random_seed(index)
        return steps(image=image)

    return step


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    image = draw_leaf("spot", 5, SIDE).image
    runs = {f"vnvision {name}": ours(image, name) for name in PRESETS}
    runs |= {"torchvision": torchvision_pil(image), "albumentations": albumentations_cv2(image)}
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        for index in range(20):
            run(index)
    for turn in range(args.rounds):
        for name, run in runs.items():
            start = time.process_time()
            for index in range(args.samples):
                run(turn * args.samples + index)
            spent[name].append((time.process_time() - start) / args.samples * 1e3)
    median = {name: float(np.median(times)) for name, times in spent.items()}
    result = {
        "samples": args.samples,
        "rounds": args.rounds,
        "ms_a_sample": {name: round(value, 3) for name, value in median.items()},
        "ms_spread": {name: [round(min(t), 3), round(max(t), 3)] for name, t in spent.items()},
        "torchvision_over_crops": round(median["torchvision"] / median["vnvision crops"], 2),
        "albumentations_over_crops": round(median["albumentations"] / median["vnvision crops"], 2),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
