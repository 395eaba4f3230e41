#!/usr/bin/env bash
# Eight GPUs of one node: IResNet-100, to 1,000,000 people. FACES=manifest.csv OUT=folder training/runs/face_eight_gpus.sh
set -euo pipefail
exec torchrun --standalone --nproc_per_node="${GPUS:-8}" -m vnvision train "$(dirname "$0")/face.yaml" \
  output="${OUT:?a folder for the run}" backbone=iresnet100 batch_size=2048 lr=0.4 accelerator=cuda \
  precision=bf16-mixed workers=8 embedding.sample_rate=0.3 "$@"
