"""Two gloo ranks run all scenarios once; tests read what each saw."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))


@pytest.fixture(scope="session")
def ranks(tmp_path_factory):
    """(folder, what rank 0 saw, what rank 1 saw); shared by the workers of a parallel test run."""
    root = tmp_path_factory.getbasetemp()
    folder = (root.parent if "PYTEST_XDIST_WORKER" in os.environ else root) / "partial_fc_ranks"
    try:
        folder.mkdir()
    except FileExistsError:
        until = time.monotonic() + 300
        while not (folder / "done").exists():
            assert time.monotonic() < until, "the other worker's two ranks did not end"
            time.sleep(0.2)
    else:
        _launch(folder)
        (folder / "done").touch()
    return folder, *(torch.load(folder / f"rank{rank}.pt") for rank in (0, 1))


def _launch(folder):
    import two_ranks

    for name, options in two_ranks.RESUMES.items():
        two_ranks.saved_half_way(folder, f"one_{name}", **options)
    words = [sys.executable, str(HERE / "two_ranks.py"), str(folder)]
    keep = {"env": os.environ | {"OMP_NUM_THREADS": "1"}, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([*words, str(rank)], **keep) for rank in (0, 1)]
    try:
        texts = [process.communicate(timeout=240)[1] for process in both]
    finally:
        for process in both:
            process.kill()
    assert [process.returncode for process in both] == [0, 0], "\n".join(text[-3000:] for text in texts)
