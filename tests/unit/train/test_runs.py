"""The commands of training/runs: bash reads them, they ask for a configuration, two processes train."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file

from vnvision.train.config import load_config, parse_overrides

RUNS = Path(__file__).parents[3] / "training" / "runs"
SCRIPTS = sorted(RUNS.glob("face_*.sh"))
DIRECT = [path for path in SCRIPTS if path.stem != "face_slurm"]


def test_the_count_is_what_we_think():
    assert len(SCRIPTS) == 5
    assert all(f"`{path.name}`" in (RUNS / "README.md").read_text() for path in SCRIPTS)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_bash_reads_it(path):
    subprocess.run(["bash", "-n", str(path)], check=True)
    assert os.access(path, os.X_OK)


def asked(path, folder, *words, **variables):
    """The words a script gives to ``vnvision``, and those to ``torchrun`` before them."""
    for name in ("vnvision", "torchrun", "srun", "scontrol"):
        stub = folder / name
        run = {"srun": 'shift; exec "$@"', "scontrol": "echo node7"}
        stub.write_text(
            "#!/bin/sh\n" + run.get(name, f'echo {name}; for w in "$@"; do echo "$w"; done') + "\n"
        )
        stub.chmod(0o755)
    here = {"PATH": f"{folder}:{os.environ['PATH']}", "FACES": "faces.csv", "OUT": str(folder / "out")}
    out = subprocess.run(
        ["bash", str(path), *words], env=here | variables, stdout=subprocess.PIPE, text=True, check=True,
        cwd=RUNS.parents[1],
    )  # fmt: skip
    lines = out.stdout.splitlines()
    at = lines.index("train")
    return lines[:at], lines[at + 1 :]


@pytest.mark.parametrize("path", DIRECT, ids=lambda path: path.stem)
def test_what_it_asks_for_is_a_configuration(path, tmp_path, monkeypatch):
    monkeypatch.setenv("FACES", "faces.csv")
    _, (file, *words) = asked(path, tmp_path, "epochs=3", HEAD="node0", RUN_ID="1")
    config = load_config(Path(file), parse_overrides(words))
    assert (config.task, config.data, config.epochs) == ("embedding", "faces.csv", 3)
    assert config.output == str(tmp_path / "out")


def test_slurm_gives_its_nodes_to_torchrun_and_goes_on_where_a_run_was(tmp_path):
    job = {"SLURM_JOB_NODELIST": "node[7-9]", "SLURM_JOB_NUM_NODES": "3", "SLURM_JOB_ID": "42"}
    before, words = asked(RUNS / "face_slurm.sh", tmp_path, **job)
    assert {"--nnodes=3", "--rdzv_id=42", "--rdzv_endpoint=node7:29500", "--nproc_per_node=8"} <= set(before)
    assert "resume=true" not in words
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "run.json").write_text("{}")
    assert "resume=true" in asked(RUNS / "face_slurm.sh", tmp_path, **job)[1]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_missing_variable_is_named(path, tmp_path):
    done = subprocess.run(
        ["bash", str(path)], env={"PATH": os.environ["PATH"]}, stderr=subprocess.PIPE, text=True
    )
    assert done.returncode != 0
    assert "OUT" in done.stderr or "RUN_ID" in done.stderr or "start it with sbatch" in done.stderr


SHIPPED = sorted(
    path for path in RUNS.glob("*.sh") if "common.sh" in path.read_text() and path.stem != "common"
)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_only_scripts_that_read_data_ask_for_their_folder(path, tmp_path):
    here = {"PATH": os.environ["PATH"], "OUT": str(tmp_path), "VNVISION": "echo", "PYTHON": "echo"}
    done = subprocess.run(["bash", str(path)], env=here, capture_output=True, text=True)
    if path.stem == "leaf_severity":
        assert done.returncode == 0, done.stderr
        assert "train training/configs/segment/leaf_severity.yaml" in done.stdout
    else:
        assert (done.returncode, done.stdout) == (1, "")
        assert "VNVISION_DATA: the folder with agri/ and med/" in done.stderr


@pytest.fixture
def faces(tmp_path):
    """Ten people of a smooth colour, four noisy pictures each, and a configuration without BatchNorm."""
    rng = np.random.default_rng(0)
    rows = [("path", "identity", "split")]
    for person in range(10):
        base = cv2.resize(rng.integers(0, 255, (4, 4, 3), dtype=np.uint8), (112, 112))
        for number in range(4):
            name = f"p{person}_{number}.png"
            noisy = np.clip(base + rng.normal(0, 15, base.shape), 0, 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / name), noisy)
            rows.append((name, f"p{person}", "train" if person < 6 else "val" if person < 8 else "test"))
    with open(tmp_path / "manifest.csv", "w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    config = {
        "name": "two", "domain": "face", "task": "embedding", "data": str(tmp_path / "manifest.csv"),
        "backbone": "timm:test_vit", "weights": "none", "size_px": 112, "augment": "light",
        "resident": True, "drop_rate": 0.0, "batch_size": 12, "epochs": 2, "lr": 1e-3, "compile": False,
        "channels_last": True, "workers": 0, "threads": 1, "tensorboard": False, "n_boot": 5,
        "accelerator": "cpu",
        "embedding": {
            "size": 16, "head": "cosface", "sample_rate": 0.5,
            "head_options": {"margin_cosine": 0.1, "scale": 16},
        },
    }  # fmt: skip
    (tmp_path / "face.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


def train(faces, output, *words, processes=1):
    """``vnvision train`` as a person calls it."""
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m"]
    words = ["vnvision", "train", str(faces / "face.yaml"), f"output={faces / output}", "--quiet", *words]
    threads = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*start, *words],
        env=os.environ | threads,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return faces / output


def losses(run):
    with open(run / "log.csv", newline="") as stream:
        return [float(row["train_loss"]) for row in csv.DictReader(stream)]


def newest(run):
    return sorted((run / "checkpoints").glob("step_*"))[-1]


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_one_goes_on_from_two(faces):
    """LayerNorm and no dropout: then a batch split over processes is the same batch, up to rounding."""
    one, two = train(faces, "one"), train(faces, "two", processes=2)
    assert losses(two) == pytest.approx(losses(one), abs=1e-4)
    assert len(list((newest(two) / "centres").glob("*.safetensors"))) == 2
    shutil.copytree(two, faces / "on")
    shutil.rmtree(newest(faces / "on"))
    (faces / "on" / "report.json").unlink()
    on = train(faces, "on", "resume=true")
    assert losses(on) == pytest.approx(losses(two), abs=1e-4)
    left, right = (load_file(newest(run) / "model.safetensors") for run in (two, on))
    assert all(torch.allclose(left[name], right[name], atol=1e-3) for name in left)
    assert len(list((newest(on) / "centres").glob("*.safetensors"))) == 1
