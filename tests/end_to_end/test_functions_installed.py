"""The catalogue's examples where vnvision and the extra a row names are installed, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "hub"))
from hub_desk import enrol, write_desk, write_scans, write_templates
from test_base_install import install

from vnvision.hub.catalogue import functions

FOUND = {"near_duplicates", "face_overlap"}  # exit code 1: there are some

# Runs in the new environment, away from the project: every row of an extra, network blocked.
DRIVER = """
import contextlib, io, json, shlex, socket, sys, traceback

def refuse(self, address):
    raise AssertionError(f"a connection to {address} was tried")

socket.socket.connect = refuse
import vnvision as vv
from vnvision.cli.main import main
from vnvision.hub.catalogue import functions

wanted, said = sys.argv[1].split(","), {}
for one in (one for one in functions() if one.id in wanted):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as err:
        try:
            exec(one.python, {"vv": vv})
            sys.argv, code = shlex.split(one.command), 0
            try:
                main()
            except SystemExit as left:
                code = left.code or 0
            text = err.getvalue()
        except BaseException:
            code, text = -1, traceback.format_exc()
    said[one.id] = [code, text]
heavy = sorted({"torch", "timm", "albumentations"} & set(sys.modules))
print(json.dumps({"said": said, "heavy": heavy, "where": vv.__file__}))
"""


@pytest.mark.slow
@pytest.mark.parametrize("extra", sorted({one.needs for one in functions()}))
def test_every_example_of_an_extra_runs_where_it_alone_is_installed(extra, tmp_path, monkeypatch):
    rows = [one for one in functions() if one.needs == extra]
    desk, home = write_desk(tmp_path / "desk"), tmp_path / "home"
    monkeypatch.setenv("VNVISION_HOME", str(home))
    if extra == "faces":
        write_templates(desk)
        enrol("an", "binh")
    if extra == "clinic":
        write_scans(desk)
    tool = install(tmp_path, f"[{extra}]" if extra else "")
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("VNVISION", "XDG"))}
    env = kept | {
        "HOME": str(home),
        "VNVISION_HOME": str(home),
        "VNVISION_CACHE": str(tmp_path / "cache"),
        "VNVISION_MODELS": str(desk / "models"),
        "PYTHONUTF8": "1",
    }
    words = [tool / "python", "-I", "-c", DRIVER, ",".join(one.id for one in rows)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=desk, env=env, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert Path(told["where"]).is_relative_to(tmp_path), "the installed package, not the clone"
    assert told["heavy"] == []
    wrong = {name: text for name, (code, text) in told["said"].items() if code != (name in FOUND)}
    assert wrong == {}
    assert set(told["said"]) == {one.id for one in rows}
