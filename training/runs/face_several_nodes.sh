#!/usr/bin/env bash
# Several nodes of eight GPUs: IResNet-100, to 10,000,000 people. The same command on every node:
# HEAD=first-node NODES=4 RUN_ID=42 FACES=/shared/manifest.csv OUT=/shared/folder training/runs/face_several_nodes.sh
set -euo pipefail
exec torchrun --nnodes="${NODES:-4}" --nproc_per_node="${GPUS:-8}" \
  --rdzv_backend=c10d --rdzv_id="${RUN_ID:?a number for this run, the same on all nodes}" \
  --rdzv_endpoint="${HEAD:?name or address of the first node}:${PORT:-29500}" \
  -m vnvision train "$(dirname "$0")/face.yaml" output="${OUT:?a folder that all nodes see}" \
  backbone=iresnet100 batch_size=8192 lr=1.6 accelerator=cuda precision=bf16-mixed workers=8 \
  checkpoint_steps=5000 embedding.sample_rate=0.1 "$@"
