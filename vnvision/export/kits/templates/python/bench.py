"""How fast, how large and how exact the model is on this machine. Needs numpy and the engine alone.

    python bench.py [--threads N] [--repeat N] [--batch N] [--seconds S] [--json]

Runs on the golden pictures. Latency is one inference of one picture, without reading and resizing files. What
cannot be read is said to be unreadable, never estimated. Ends with 0, with 1 where the answers are not the
original's, or with 2 (it could not run).
"""

import argparse
import json
import math
import sys
import threading
import time
from pathlib import Path

import numpy as np
from meters import Energy, cores, machine, memory_mb
from model import HERE, KitError, Model, positive, read_golden

LEAST = 5


def timed(call, repeat, seconds):
    """Times of calls in ms: ``repeat`` of them, fewer where ``seconds`` are over, but ``LEAST``."""
    found, end = [], time.perf_counter() + seconds
    while len(found) < repeat and (len(found) < LEAST or time.perf_counter() < end):
        start = time.perf_counter_ns()
        call(len(found))
        found.append((time.perf_counter_ns() - start) / 1e6)
    return found


def summary(times):
    """p50, p95 (nearest rank), mean and number of times in ms."""
    ordered = sorted(times)
    rank = [ordered[max(0, math.ceil(part * len(ordered)) - 1)] for part in (0.5, 0.95)]
    return {"p50": rank[0], "p95": rank[1], "mean": sum(times) / len(times), "n": len(times)}


def energy(model, inputs, wanted):
    """Joules an image while inference runs, and watts with and without it."""
    meter = Energy()
    if not meter.counters:
        return {"not_readable": meter.why}
    try:
        idle, seconds = meter.during(lambda: time.sleep(1))
        times = []
        call = lambda: times.extend(timed(one(model, inputs), wanted.repeat, wanted.seconds))  # noqa: E731
        spent, busy = meter.during(call)
    except OSError as exc:
        return {"not_readable": str(exc)}
    return {"joules_an_image": spent / len(times), "watts": spent / busy, "watts_idle": idle / seconds,
            "of": "all packages, all processes"}  # fmt: skip


def one(model, inputs):
    """A call that infers one picture after the other."""
    return lambda index: model.engine.run(inputs[index % len(inputs)])


def workers(folder, inputs, count, wanted):
    """Images a second of ``count`` models at once, each with one thread and pictures of its own."""
    models = [Model(folder, 1) for _ in range(count)]
    done, end = [0] * count, time.perf_counter() + min(wanted.seconds, 3)
    share = max(LEAST, wanted.repeat // count)

    def work(index):
        while done[index] < share and (done[index] < LEAST or time.perf_counter() < end):
            models[index].engine.run(inputs[done[index] % len(inputs)])
            done[index] += 1

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - start)


def bench(folder, wanted):
    """Everything as a dictionary for JSON."""
    golden = read_golden(folder)
    before, start = memory_mb(), time.perf_counter()
    model = Model(folder, wanted.threads)
    about, images = model.about, golden["images"]
    inputs = [model.batch(images[index : index + 1]) for index in range(len(images))]
    model.run(inputs[0])
    load_ms, loaded = 1e3 * (time.perf_counter() - start), memory_mb()
    differences, from_original = model.differences(golden), model.differences(golden, original=True)
    timed(one(model, inputs), max(LEAST, wanted.repeat // 10), 1.0)  # warm
    times = timed(one(model, inputs), wanted.repeat, wanted.seconds)
    prepare = timed(lambda index: model.batch(images[index % len(images)][None]), 20, 1.0)
    found = [throughput(1, wanted.threads, 1, 1e3 * len(times) / sum(times))]
    if wanted.batch > 1:
        batch = np.concatenate([inputs[index % len(inputs)] for index in range(wanted.batch)])
        count = max(LEAST, wanted.repeat // wanted.batch)
        many = timed(lambda _: model.engine.run(batch), count, wanted.seconds)
        found.append(throughput(wanted.batch, wanted.threads, 1, 1e3 * wanted.batch * len(many) / sum(many)))
    peak, used = memory_mb("VmHWM"), energy(model, inputs, wanted)
    if wanted.threads > 1 and about["engine"] not in ("executorch", "torch", "rknn"):
        rate = workers(folder, inputs, wanted.threads, wanted)
        found.append(throughput(1, 1, wanted.threads, rate))
    return {
        "name": about["name"], "target": about["target"], "engine": about["engine"],
        "precision": about["precision"], "threads": wanted.threads, "machine": machine(about),
        "size_bytes": sum((Path(folder) / name).stat().st_size for name in about["files"]),
        "load_ms": load_ms, "prepare_ms": summary(prepare), "latency_ms": summary(times), "times_ms": times,
        "throughput": found, "memory_mb": {"before": before, "loaded": loaded, "peak": peak}, "energy": used,
        "differences": differences, "from_original": from_original, "tolerance": about["tolerance"],
        "agrees": model.agrees(differences),
    }  # fmt: skip


def throughput(batch, threads, count, rate):
    """One way of running, and images a second in it."""
    return {"batch": batch, "threads": threads, "workers": count, "images_s": rate}


def tell(result):
    """The same as lines of text."""
    latency, memory, used = result["latency_ms"], result["memory_mb"], result["energy"]
    here, joules = result["machine"], used.get("joules_an_image")
    print(f"model       {result['name']}, target {result['target']} ({result['precision']})")
    print(f"engine      {result['engine']} {here['engine_version']}, {result['threads']} thread(s)")
    chip = " ".join(filter(None, (here["board"], here["processor"]))) or "unknown processor"
    print(f"machine     {chip}, {here['cores']} cores, {here['system']}")
    print(f"latency     p50 {latency['p50']:.2f} ms, p95 {latency['p95']:.2f} ms, {latency['n']} runs")
    print(f"prepare     p50 {result['prepare_ms']['p50']:.2f} ms (uint8 picture to input)")
    for row in result["throughput"]:
        how = f"batch {row['batch']}, {row['threads']} thread(s), {row['workers']} model(s) at once"
        print(f"throughput  {row['images_s']:.1f} images/s ({how})")
    words = [f"{key} {'not readable' if mb is None else f'{mb:g} MiB'}" for key, mb in memory.items()]
    print(f"memory      {', '.join(words)}")
    print(f"size        {result['size_bytes'] / 1e6:.2f} MB")
    unread = f"not readable: {used.get('not_readable')}"
    print(f"energy      {unread if joules is None else f'{joules:.4f} J an image, all processes'}")
    for name, gap in result["differences"].items():
        print(f"agreement   {name}: relative difference {gap:.3g} (at most {result['tolerance'][name]:g})")
        if gap != result["from_original"][name]:
            print(f"            from the model before 8 bits: {result['from_original'][name]:.3g}")
    print("PASS" if result["agrees"] else "FAIL")


def main():
    """See the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--threads", type=positive, default=cores(), help="for one inference; default: all cores"
    )
    parser.add_argument("--repeat", type=positive, default=200, help="inferences that are timed")
    parser.add_argument("--batch", type=positive, default=16, help="pictures of the larger batch")
    parser.add_argument("--seconds", type=float, default=20.0, help="at most, for each measurement")
    parser.add_argument("--json", action="store_true", help="print JSON")
    wanted = parser.parse_args()
    try:
        result = bench(HERE, wanted)
    except KitError as exc:
        print(f"bench: {exc}", file=sys.stderr)
        return 2
    if wanted.json:
        print(json.dumps(result))
    else:
        tell(result)
    return 0 if result["agrees"] else 1


if __name__ == "__main__":
    sys.exit(main())
