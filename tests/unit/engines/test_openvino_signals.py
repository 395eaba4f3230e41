"""Signals after models were opened and closed: a data loader's worker ends, someone presses Ctrl-C."""

import os
import subprocess
import sys

import pytest

from vnvision.engines.openvino import shared_core

CODE = """
import faulthandler, gc, os, signal, sys
from vnvision.engines import open_engine

faulthandler.enable()
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append(1))
first, second = (open_engine(sys.argv[1], "openvino", threads=1) for _ in range(2))
first.close(); del first; gc.collect()
second.close(); del second; gc.collect()
os.kill(os.getpid(), signal.SIGUSR1)
print("handled", len(seen))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="signal stacks are POSIX")
def test_a_signal_after_models_were_closed_is_handled(tiny):
    run = subprocess.run(
        [sys.executable, "-c", CODE, str(tiny.xml)], capture_output=True, text=True, timeout=120
    )
    assert (run.returncode, run.stdout) == (0, "handled 1\n"), run.stderr[-500:]


def test_one_core_a_process():
    pytest.importorskip("openvino")
    assert shared_core() is shared_core()
