"""Questions in, answers out, for the programs beside this one. Runs under another Python: numpy only.

One line of JSON a question on standard input, one a answer on standard output. Whatever the tools print,
from Python or from C++, goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def serve(commands: Mapping[str, Callable[..., Any]]) -> None:
    """Answer until standard input ends.

    Args:
        commands: functions by name; each takes the question's arguments and arrays by keyword and gives a
            dict, or a dict and a list of arrays.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = _answered(commands[question["command"]], question)
        except Exception as exc:  # noqa: BLE001  # whatever a tool raises becomes one line
            answer = {"error": _last_line(exc)}
        sys.stdout.flush()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answered(command: Callable[..., Any], question: dict[str, Any]) -> dict[str, Any]:
    given = {key: np.load(file, allow_pickle=False) for key, file in question["arrays"].items()}
    found = command(**question["arguments"], **given)
    answer, arrays = found if isinstance(found, tuple) else (found, [])
    names = [f"out{question['number']}-{index}.npy" for index in range(len(arrays))]
    for name, array in zip(names, arrays, strict=True):
        np.save(name, array, allow_pickle=False)
    return {**answer, "arrays": names}


def _last_line(exc: Exception) -> str:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    return f"{type(exc).__name__}: {lines[-1][:300]}" if lines else type(exc).__name__
