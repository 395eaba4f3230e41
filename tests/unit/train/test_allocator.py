import os
import platform
import subprocess
import sys

import pytest

from vnvision.train import allocator

PROBE = """
import resource
import numpy as np
from vnvision.train.allocator import keep_freed_memory
before = keep_freed_memory() if {on} else None
faults = []
for _ in range(4):
    start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.empty(48 << 20, np.uint8).fill(1)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - start)
print(before, faults[-1])
"""


def probe(on):
    # NumPy asks for huge pages, of which a few hold the whole block: small ones are countable anywhere.
    env = {**os.environ, "NUMPY_MADVISE_HUGEPAGE": "0"}
    command = [sys.executable, "-c", PROBE.format(on=on)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return done.stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc only")
def test_a_freed_block_is_used_again_without_new_pages():
    took_effect, kept = probe(on=True)
    _, mapped = probe(on=False)
    assert took_effect == "True"
    if int(mapped) == 0:
        pytest.skip("this kernel does not count page faults")
    assert int(kept) < 100 < int(mapped)


def test_elsewhere_nothing_is_touched(monkeypatch):
    monkeypatch.setattr(allocator.platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(allocator.ctypes, "CDLL", None)
    assert allocator.keep_freed_memory() is False
