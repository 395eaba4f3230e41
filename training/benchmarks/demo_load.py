"""Many people on one ``vnvision demo`` at once: how long an answer takes, how much memory the server holds.

    OMP_NUM_THREADS=1 python training/benchmarks/demo_load.py --users 20 --minutes 5

Starts the demo as a process of its own, with an empty data folder, and speaks to it as Gradio's page does:
page and cookie, a heartbeat, upload, the preview of what was sent, the question, its stream of messages, at
times the PDF. Each user asks, waits for the answer, thinks for 1 to 3 s. The users run on the same machine
and take their share of it. Prints JSON: times in ms; memory in MB, resident, of the server and its decoders.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import numpy as np
import psutil
from PIL import Image

from vnvision.data.synthetic import draw_leaf

ROOT = Path(__file__).parents[2]
KINDS = ("healthy", "spot", "blight", "rust")
# Shape, and how many in a hundred pictures have it: messages, screens, phones.
SHAPES = {(640, 480): 30, (1280, 960): 30, (2048, 1536): 25, (4000, 3000): 15}
THINK_S = (1.0, 3.0)
PDF, SEVERITY = 0.25, 0.25
ALONE = 30


def pictures() -> dict[tuple[int, int], list[bytes]]:
    """JPEGs of drawn leaves in every shape, with the grain of a camera."""
    made = {}
    for number, (width, height) in enumerate(SHAPES):
        files = []
        for kind in KINDS:
            leaf = cv2.resize(draw_leaf(kind, 40 + number, size_px=768).image, (width, height))
            grain = np.random.default_rng(number).normal(0, 3, leaf.shape[:2])[..., None]
            stream = io.BytesIO()
            Image.fromarray(np.clip(leaf + grain, 0, 255).astype(np.uint8)).save(stream, "JPEG", quality=88)
            files.append(stream.getvalue())
        made[width, height] = files
    return made


class Server:
    """A demo of its own."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        paths = os.pathsep.join((str(ROOT), str(ROOT / "demo")))
        env = os.environ | {"PYTHONPATH": paths, "PYTHONUTF8": "1", "VNVISION_HOME": str(folder)}
        command = [sys.executable, "-m", "vnvision", "demo", "--port", "0", *options]
        began = time.perf_counter()
        self.process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[2]
        httpx.get(self.address, timeout=60).raise_for_status()
        self.up_s = time.perf_counter() - began

    def memory(self) -> tuple[float, float]:
        """Of the server, and of its decoders."""
        own = psutil.Process(self.process.pid)
        decoders = sum(child.memory_info().rss for child in own.children(recursive=True))
        return own.memory_info().rss / 2**20, decoders / 2**20

    def stop(self) -> float:
        """Seconds until it had stopped."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        return time.perf_counter() - began


@dataclass
class Told:
    """What the users saw."""

    answer_ms: list[float] = field(default_factory=list)
    handler_ms: list[float] = field(default_factory=list)
    upload_ms: list[float] = field(default_factory=list)
    pdf_ms: list[float] = field(default_factory=list)
    large_ms: list[float] = field(default_factory=list)
    ranks: Counter[int] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


class User:
    """One browser with the page open."""

    def __init__(self, address: str, seed: int, told: Told) -> None:
        self.client = httpx.AsyncClient(base_url=address, timeout=120)
        self.chance, self.told, self.page = random.Random(seed), told, f"page{seed}x{os.getpid()}"
        self._heart: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """The page, its settings, and the stream that says that it is open."""
        (await self.client.get("/" if self.chance.random() < 0.7 else "/en")).raise_for_status()
        (await self.client.get("/config")).raise_for_status()
        self._heart = asyncio.create_task(self._beat())

    async def close(self) -> None:
        """The page is left."""
        if self._heart is not None:
            self._heart.cancel()
        await self.client.aclose()

    async def ask(self, data: bytes, *, severity: bool, pdf: bool, large: bool = False) -> None:
        """Send a picture, wait for the answer, perhaps fetch its PDF."""
        began = time.perf_counter()
        sent = await self.client.post(
            f"/gradio_api/upload?upload_id={self.page}", files=[("files", ("leaf.jpg", data, "image/jpeg"))]
        )
        if sent.status_code != 200:
            self.told.errors[f"upload {sent.status_code}"] += 1
            return
        self.told.upload_ms.append(1e3 * (time.perf_counter() - began))
        (path,) = sent.json()
        preview = asyncio.create_task(self.client.get(f"/gradio_api/file={path}"))
        html = await self._answer(path, severity, large)
        seen = await preview  # as a browser does; late where the answer came first
        self.told.shown[str(seen.status_code)] += 1
        if html is not None and pdf:
            await self._pdf(html)

    async def _answer(self, path: str, severity: bool, large: bool) -> str | None:
        file = {"path": path, "orig_name": "leaf.jpg", "meta": {"_type": "gradio.FileData"}}
        body = {
            "data": [file, "auto", severity],
            "fn_index": 0,
            "trigger_id": None,
            "session_hash": self.page,
        }
        began = time.perf_counter()
        joined = await self.client.post("/gradio_api/queue/join", json=body)
        if joined.status_code != 200:
            self.told.errors[f"join {joined.status_code}"] += 1
            return None
        query = {"session_hash": self.page}
        async with self.client.stream("GET", "/gradio_api/queue/data", params=query) as stream:
            async for line in stream.aiter_lines():
                if not line.startswith("data:"):
                    continue
                message = json.loads(line[5:])
                if message["msg"] == "estimation":
                    self.told.ranks[message["rank"]] += 1
                if message["msg"] == "process_completed":
                    spent = 1e3 * (time.perf_counter() - began)
                    return self._counted(message, spent, large)
        self.told.errors["no answer"] += 1
        return None

    def _counted(self, message: dict, spent: float, large: bool) -> str | None:
        html = str((message["output"].get("data") or [""])[0])
        if not message["success"] or "v-case" not in html:
            self.told.errors["problem: " + re.sub(r"<[^>]+>", " ", html)[:80]] += 1
            return None
        self.told.answer_ms.append(spent)
        if large:
            self.told.large_ms.append(spent)
        self.told.handler_ms.append(1e3 * message["output"]["duration"])
        return html

    async def _pdf(self, html: str) -> None:
        href = re.search(r'href="(/get/[^"]+\.pdf)"', html)
        if href is None:  # no answer is no page
            return
        began = time.perf_counter()
        got = await self.client.get(href[1])
        if got.content.startswith(b"%PDF"):
            self.told.pdf_ms.append(1e3 * (time.perf_counter() - began))
        else:
            self.told.errors[f"pdf {got.status_code}"] += 1

    async def _beat(self) -> None:
        async with self.client.stream("GET", f"/gradio_api/heartbeat/{self.page}", timeout=None) as stream:
            async for _ in stream.aiter_raw():
                pass


async def alone(address: str, files: dict[tuple[int, int], list[bytes]]) -> dict[str, object]:
    """One user after another answer, for each shape: what an answer takes by itself."""
    found: dict[str, object] = {}
    for shape in SHAPES:
        told = Told()
        user = User(address, 1000 + shape[0], told)
        await user.open()
        for number in range(ALONE):
            await user.ask(files[shape][number % 4], severity=False, pdf=False)
            await asyncio.sleep(0.5)
        await user.close()
        found["{}x{}".format(*shape)] = {
            "join_to_result_ms": spread(told.answer_ms),
            "in_handler_ms": spread(told.handler_ms),
            "upload_ms": spread(told.upload_ms),
            "errors": dict(told.errors),
        }
    return found


async def crowd(
    server: Server, files: dict[tuple[int, int], list[bytes]], users: int, minutes: float
) -> dict:
    """All users at once."""
    told, memory = Told(), []
    until = time.monotonic() + 60 * minutes
    shapes, weights = list(SHAPES), list(SHAPES.values())

    async def person(seed: int) -> None:
        user = User(server.address, seed, told)
        await asyncio.sleep(user.chance.uniform(0, 3))
        try:
            await user.open()
            while time.monotonic() < until:
                shape = user.chance.choices(shapes, weights)[0]
                data = user.chance.choice(files[shape])
                severity, pdf = user.chance.random() < SEVERITY, user.chance.random() < PDF
                await user.ask(data, severity=severity, pdf=pdf, large=shape == shapes[-1])
                await asyncio.sleep(user.chance.uniform(*THINK_S))
        except (httpx.HTTPError, ValueError) as exc:
            told.errors[f"{type(exc).__name__}: {exc}"[:100]] += 1
        finally:
            await user.close()

    async def watch() -> None:
        while time.monotonic() < until:
            memory.append((time.monotonic(), *server.memory()))
            await asyncio.sleep(2)

    await asyncio.gather(watch(), *(person(seed) for seed in range(users)))
    together = [own + decoders for _, own, decoders in memory]
    fifth = max(1, len(together) // 5)
    return {
        "answers": len(told.answer_ms),
        "answers_a_minute": len(told.answer_ms) / minutes,
        "errors": dict(told.errors),
        "answer_ms": spread(told.answer_ms),
        "answer_12_megapixels_ms": spread(told.large_ms),
        "in_handler_ms": spread(told.handler_ms),
        "upload_ms": spread(told.upload_ms),
        "pdf_ms": spread(told.pdf_ms),
        "preview_status": dict(told.shown),
        "most_waiting_before": max(told.ranks, default=0),
        "memory_peak_mb": max(together),
        "memory_median_of_each_fifth_mb": [
            round(statistics.median(together[start : start + fifth]), 1)
            for start in range(0, fifth * 5, fifth)
            if together[start : start + fifth]
        ],
    }


def spread(values: list[float]) -> dict[str, float]:
    """Percentiles."""
    if not values:
        return {}
    shares = {"p50": 50, "p95": 95, "p99": 99, "max": 100}
    return {name: round(float(np.percentile(values, share)), 1) for name, share in shares.items()}


async def measured(args: argparse.Namespace) -> dict[str, object]:
    """Everything, in order."""
    files = pictures()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), ["--workers", str(args.workers)])
        try:
            await asyncio.sleep(args.warm_s)
            found: dict[str, object] = {
                "users": args.users,
                "minutes": args.minutes,
                "think_s": THINK_S,
                "load_before": os.getloadavg(),
                "up_s": round(server.up_s, 2),
                "memory_up_mb": server.memory(),
            }
            if not args.no_alone:
                found["alone"] = await alone(server.address, files)
            start = server.memory()
            found["memory_start_mb"] = start
            found["crowd"] = await crowd(server, files, args.users, args.minutes)
            await asyncio.sleep(10)
            end = server.memory()
            found |= {
                "memory_end_mb": end,
                "memory_growth_mb": round(sum(end) - sum(start), 1),
                "load_after": os.getloadavg(),
            }
        finally:
            stopped = server.stop()
        found["stop_s"] = round(stopped, 2)
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--workers", type=int, default=2, help="of the demo")
    parser.add_argument(
        "--warm-s", type=float, default=15.0, help="between the page's first sight and the first user"
    )
    parser.add_argument("--no-alone", action="store_true", help="leave out the single user")
    print(json.dumps(asyncio.run(measured(parser.parse_args())), indent=1))


if __name__ == "__main__":
    main()
