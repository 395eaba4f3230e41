"""Jobs load neither torch nor Gradio: a clinic PC may have no torch, and tests need no browser."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

JOBS = Path(__file__).parents[3] / "demo" / "vnvision_demo" / "jobs"


def test_all_jobs_load_without_torch_and_gradio():
    names = sorted(file.stem for file in JOBS.glob("*.py") if file.stem != "__init__")
    assert len(names) > 10
    code = "".join(f"import vnvision_demo.jobs.{name}\n" for name in names)
    code += "import sys; print([name for name in ('torch', 'gradio', 'pydicom') if name in sys.modules])"
    paths = [str(JOBS.parents[1]), str(JOBS.parents[2])]
    found = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert found.stdout.strip() == "[]"
