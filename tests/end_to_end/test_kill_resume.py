"""A run killed with SIGKILL, also inside a checkpoint being written, ends with the very same weights."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "training" / "benchmarks" / "kill_resume.py"


@pytest.mark.slow
def test_killed_runs_end_as_the_run_left_alone(tmp_path):
    words = [sys.executable, SCRIPT, "--kills", "4", "--inside", "2", "--no-compile", "--out", tmp_path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    result = json.loads(done.stdout)
    assert result["kills"] >= 4
    assert result["inside"] >= 2
    assert result["differing"] == 0
