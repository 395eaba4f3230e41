"""Python environments for converters that need other versions than ours, made with ``uv``.

``python -m vnvision.export.environments rknn`` makes one by hand; the exporter makes it when first asked for
a target that needs it. Package sources, certificates and caches are those the user set for ``uv``: with
``UV_TORCH_BACKEND=cpu`` or a folder of wheels in ``UV_FIND_LINKS`` the builds of torch are small ones.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from vnvision import atomic
from vnvision.engines.isolated import ENVIRONMENTS, MARKER, Environment, Worker, WorkerError
from vnvision.errors import ConfigError, ExportError, VnvisionError

__all__ = ["ENVIRONMENTS", "Environment", "Worker", "WorkerError", "ensure", "uv_command"]

_LIMIT_S = 3600.0
_NO_NETWORK = re.compile(
    r"dns error|error sending request|failed to (fetch|download)|connect|offline|timed out", re.I
)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def ensure(environment: Environment, *, limit_s: float = _LIMIT_S) -> Path:
    """Its Python, built if it is not there yet; some minutes and gigabytes the first time.

    Two processes that ask at once build it once. What was left half-built is built again: an environment
    counts as whole by a file that is written last.

    Args:
        environment: one of ``ENVIRONMENTS``.
        limit_s: seconds that one step may take.

    Raises:
        ExportError: uv is missing, no package source answers, the disk is too full, or a package fails.
    """
    if environment.is_whole:
        return environment.interpreter
    uv = uv_command()
    with _alone(environment.folder):
        if not environment.is_whole:
            _check_disk(environment)
            shutil.rmtree(environment.folder, ignore_errors=True)
            started = time.monotonic()
            try:
                packages = _built(environment, uv, limit_s)
            except BaseException:
                shutil.rmtree(environment.folder, ignore_errors=True)
                raise
            facts = {
                "name": environment.name,
                "python": environment.python,
                "packages": packages,
                "seconds": round(time.monotonic() - started),
            }
            atomic.write_json(environment.folder / MARKER, facts)
    return environment.interpreter


def uv_command() -> list[str]:
    """How to call uv: the program on the path, else the module.

    Raises:
        ExportError: there is neither.
    """
    if found := shutil.which("uv"):
        return [found]
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    raise ExportError("uv is not installed", fix="install it with: pip install uv")


def _built(environment: Environment, uv: list[str], limit_s: float) -> list[str]:
    """Make it in its place; the packages as installed."""
    folder, python = str(environment.folder), str(environment.interpreter)
    _run([*uv, "venv", "--python", environment.python, folder], environment, limit_s)
    listed = str(environment.requirements)
    _run([*uv, "pip", "install", "--python", python, "-r", listed], environment, limit_s)
    frozen = _run([*uv, "pip", "freeze", "--python", python], environment, limit_s)
    return frozen.split()


def _run(command: Sequence[str], environment: Environment, limit_s: float) -> str:
    """Standard output of a command that ended well."""
    settings = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=limit_s, check=False, env=settings,
            text=True, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL,
            cwd=environment.folder.parent,
        )  # fmt: skip
    except subprocess.TimeoutExpired as exc:
        raise ExportError(
            f"the environment for {environment.name} was not ready in {limit_s:g} s", fix="try again"
        ) from exc
    if done.returncode == 0:
        return done.stdout
    said = [_ESCAPES.sub("", line).strip() for line in (done.stderr or done.stdout).splitlines()]
    said = [line for line in said if line] or [f"exit status {done.returncode}"]
    by_hand = (
        f"uv venv --python {environment.python} X && uv pip install --python X -r {environment.requirements}"
    )
    if any(_NO_NETWORK.search(line) for line in said):
        raise ExportError(
            f"the environment for {environment.name} cannot be made: no package source answers",
            got=said[-1][:200],
            fix=f"connect to a network once, or set UV_FIND_LINKS to a folder with the wheels of: {by_hand}",
        )
    raise ExportError(
        f"the environment for {environment.name} cannot be made", got=_reason(said), fix=f"try: {by_hand}"
    )


def _reason(said: list[str]) -> str:
    """uv's error line, or the last it wrote."""
    errors = [line for line in said if line.startswith(("error:", "×"))]
    return (errors or said[-1:])[0][:300]


def _check_disk(environment: Environment) -> None:
    free = shutil.disk_usage(environment.folder.parent).free / 1e9
    if free < environment.needs_gb:
        raise ExportError(
            f"the disk is too full for the environment of {environment.name}",
            expected=f"{environment.needs_gb:g} GB free under {environment.folder.parent}",
            got=f"{free:.1f} GB",
            fix="make room, or set VNVISION_CACHE to another disk",
        )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the lock falls with the process that holds it.

    Where files cannot be locked (Windows) nothing is locked: none of the environments is for it.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.with_suffix(".lock"), "wb") as lock:
        try:
            import fcntl
        except ImportError:
            yield
            return
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)


def main(names: Sequence[str]) -> int:
    """Make environments by name and say where they are."""
    try:
        for name in names or tuple(ENVIRONMENTS):
            if name not in ENVIRONMENTS:
                raise ConfigError(f"there is no environment {name!r}", expected=" or ".join(ENVIRONMENTS))
            ensure(ENVIRONMENTS[name])
            print(f"{name}: {ENVIRONMENTS[name].folder}")
    except VnvisionError as exc:
        print(exc.in_both(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
