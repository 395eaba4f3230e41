#!/usr/bin/env bash
# One laptop, no GPU: MobileFaceNet, to 10,000 people. FACES=manifest.csv OUT=folder training/runs/face_laptop.sh
# A .rec has no splits, so other faces judge it: FACES=train.rec OUT=folder training/runs/face_laptop.sh \
#   'embedding.protocols=[{name: lfw, data: lfw.bin}]' embedding.best_by=lfw
set -euo pipefail
exec vnvision train "$(dirname "$0")/face.yaml" output="${OUT:?a folder for the run}" \
  backbone=mobilefacenet batch_size=64 lr=0.05 workers=2 "$@"
