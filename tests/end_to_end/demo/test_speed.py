"""How long a visitor waits. Printed, never asserted: it is the machine's as much as ours."""

import time

from files import LEAF


def test_how_long_it_takes(opened, record_property, capsys):
    times = {}
    for round_ in ("first", "again"):
        start = time.perf_counter()
        opened.load()
        times[f"usable, {round_}"] = time.perf_counter() - start
    opened.tab("crops")
    for round_ in ("first", "again"):
        start = time.perf_counter()
        opened.answer(lambda: opened.send(LEAF))
        times[f"a leaf answered, {round_}"] = time.perf_counter() - start
    with capsys.disabled():
        told = "; ".join(f"{name} {seconds:.2f} s" for name, seconds in times.items())
        print(f"\n[{opened.language}] {told}")
    for name, seconds in times.items():
        record_property(name, round(seconds, 2))
