"""Two gloo processes train the same network as one, where normalisation does not look across the batch."""

import os
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import load_file

from vnvision.data.synthetic import write_leaves

CONFIG = """
backbone: test_resnet
weights: none
norm: group
size_px: 32
augment: none
batch_size: 16
epochs: 2
optimiser: sgd
lr: 0.05
drop_rate: 0
workers: 0
threads: 1
compile: false
channels_last: false
tensorboard: false
n_boot: 0
accelerator: cpu
"""


def train(folder, manifest, processes):
    (folder / "c.yaml").write_text(CONFIG)
    launcher = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    words = [sys.executable, "-m", *(launcher if processes > 1 else [])]
    words += [
        "vnvision",
        "train",
        folder / "c.yaml",
        f"data={manifest}",
        f"output={folder / f'run{processes}'}",
    ]
    done = subprocess.run(
        words, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    last = sorted((folder / f"run{processes}" / "checkpoints").glob("step_*"))[-1]
    return load_file(last / "model.safetensors")


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    manifest = write_leaves(tmp_path / "data", per_class=16, size_px=32)
    one, two = train(tmp_path, manifest, 1), train(tmp_path, manifest, 2)
    assert one.keys() == two.keys()
    worst = max(float(np.abs(one[key] - two[key]).max()) for key in one)
    assert worst < 1e-5
    assert (tmp_path / "run2" / "report.json").is_file()
