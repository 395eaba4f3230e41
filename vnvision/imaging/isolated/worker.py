"""The decoder process: ``python -m vnvision.imaging.isolated.worker MEMORY_BYTES``.

It reads requests from its standard input and answers on its standard output until the reader closes them.
There is no catch-all here: an exception that is not one of ours ends the process, and the exception hook
tells the reader its class on the way out.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

import cv2

from vnvision import errors
from vnvision.imaging.isolated import limits, wire
from vnvision.imaging.isolated.answers import describe
from vnvision.imaging.read import read


def main(memory_bytes: int) -> None:
    """Serve requests until the input ends."""
    requests, answers = _take_streams()
    sys.excepthook = _report_to(answers)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the reader's to handle
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    wire.send(answers, {"limits": limits.apply(memory_bytes)})
    idle = limits.address_space()
    while True:
        try:
            head, buffers = wire.receive(requests, sys.maxsize)
        except EOFError:
            return
        limits.allow_cpu(head["seconds"])
        out: list[memoryview] = []
        answer = _answer(head, buffers, out)
        # What a decoder leaves behind counts against the next file: go before that matters.
        answer["last"] = "ran_out" in answer or limits.address_space() > idle + memory_bytes // 2
        wire.send(answers, answer, out)
        if answer["last"]:
            return


def _answer(head: dict[str, Any], buffers: list[Any], out: list[memoryview]) -> dict[str, Any]:
    """The sample, or the typed error, of one request."""
    if head["folder"] is not None:
        os.chdir(head["folder"])
    source = wire.unpack(head["source"], buffers)
    try:
        return {"sample": wire.pack_sample(read(source, **wire.unpack(head["options"], buffers)), out)}
    except errors.VnvisionError as exc:
        out.clear()
        return {"ran_out": True} if _out_of_memory(exc) else {"error": describe(exc)}


def _out_of_memory(exc: BaseException | None) -> bool:
    """Whether a lack of memory lies behind an error, however often it was wrapped."""
    while exc is not None:
        if isinstance(exc, MemoryError) or getattr(exc, "code", None) == cv2.Error.StsNoMem:
            return True
        exc = exc.__cause__ or exc.__context__
    return False


def _take_streams() -> tuple[io.FileIO, io.FileIO]:
    """The pipes to the reader, out of reach of libraries that print to standard output."""
    requests, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    if sys.platform == "win32":
        import msvcrt

        msvcrt.setmode(requests, os.O_BINARY)
        msvcrt.setmode(answers, os.O_BINARY)
    return io.FileIO(requests, "rb"), io.FileIO(answers, "wb")


def _report_to(
    answers: io.FileIO,
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    def report(kind: type[BaseException], exc: BaseException, traceback: TracebackType | None) -> None:
        if _out_of_memory(exc):
            wire.send(answers, {"ran_out": True, "last": True})
        else:
            place = f" in {_place(traceback)}" if traceback else ""  # not its text, which may name a patient
            wire.send(answers, {"untyped": kind.__name__ + place, "last": True})

    return report


def _place(traceback: TracebackType) -> str:
    """File and line where an exception was raised."""
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{os.path.basename(traceback.tb_frame.f_code.co_filename)}:{traceback.tb_lineno}"  # noqa: PTH119


if __name__ == "__main__":
    main(int(sys.argv[1]))
