#!/usr/bin/env bash
# One GPU of 24 GB or more: IResNet-50, to 100,000 people. FACES=manifest.csv OUT=folder training/runs/face_one_gpu.sh
set -euo pipefail
exec vnvision train "$(dirname "$0")/face.yaml" output="${OUT:?a folder for the run}" \
  backbone=iresnet50 batch_size=256 lr=0.05 accelerator=cuda devices=1 precision=bf16-mixed \
  resident=auto workers=8 "$@"
