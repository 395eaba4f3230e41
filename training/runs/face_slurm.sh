#!/usr/bin/env bash
#SBATCH --job-name=face
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=96
#SBATCH --time=2-00:00:00
#SBATCH --signal=TERM@120
#SBATCH --requeue
# The run of several nodes under SLURM, from the repository's root; a requeued job goes on where it was:
# FACES=/shared/manifest.csv OUT=/shared/folder sbatch training/runs/face_slurm.sh
set -euo pipefail
HEAD=$(scontrol show hostnames "${SLURM_JOB_NODELIST:?start it with sbatch}" | head -n 1)
export HEAD NODES=${SLURM_JOB_NUM_NODES:?start it with sbatch} RUN_ID=${SLURM_JOB_ID:?start it with sbatch}
export GPUS=${SLURM_GPUS_ON_NODE:-8}
if [ -f "${OUT:?a folder that all nodes see}/run.json" ]; then
  set -- resume=true "$@"
fi
srun --kill-on-bad-exit=1 bash training/runs/face_several_nodes.sh "$@"
