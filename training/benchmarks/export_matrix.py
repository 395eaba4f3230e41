"""Task x target x precision: size, p50, agreement with the original; every cell run by its real engine.

Give one run folder a task (``name=RUN``); its own manifest calibrates and judges. Targets whose converter is
not installed, and those the gate refuses, are listed with the reason. Writes ``matrix.json``, ``matrix.md``.

    python training/benchmarks/export_matrix.py beans=out/ibean ultrasound=out/busi --out out/matrix
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from pathlib import Path
from typing import Any

from vnvision.atomic import write_json, write_text
from vnvision.export.run import export_run
from vnvision.export.targets import TARGETS
from vnvision.records import BundleManifest, TargetRecord
from vnvision.runtime.target import size_bytes

COLUMNS = ("target", "precision", "run by", "MB", "p50 ms", "largest difference", "answers")


def main() -> None:
    """Parse, export task by task, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="+", metavar="NAME=RUN", help="run folders")
    parser.add_argument("--targets", nargs="+", default=list(TARGETS), help="which; all unless given")
    parser.add_argument("--out", type=Path, required=True, help="folder for bundles and tables")
    args = parser.parse_args()
    found: dict[str, Any] = {"hardware": _hardware(), "tasks": {}}
    for item in args.runs:
        name, _, run = item.partition("=")
        found["tasks"][name] = _rows(name, Path(run), args.targets, args.out)
        args.out.mkdir(parents=True, exist_ok=True)
        write_json(args.out / "matrix.json", found)
        write_text(args.out / "matrix.md", _markdown(found))
        write_text(args.out / "short.md", _short(found))
    print(_markdown(found))
    print(_short(found))


def _rows(name: str, run: Path, targets: list[str], out: Path) -> dict[str, Any]:
    """One row a target."""
    config = json.loads((run / "run.json").read_text())["config"]
    folder, start = out / name, time.perf_counter()
    data = Path(config["data"])
    export_run(run, folder, targets=tuple(targets), calibration=data, overwrite=True, skip_refused=True)
    manifest = BundleManifest.load(folder / "manifest.json")
    refused, in_float = (manifest.provenance.get(key, {}) for key in ("refused", "layers_in_float"))
    rows = []
    for target in dict.fromkeys(["onnx", *targets]):
        row = {"refused": refused[target]} if target in refused else _row(folder, manifest.targets[target])
        rows.append({"target": target, **row, "in_float": len(in_float.get(target, ()))})
    facts = {
        "task": config["task"],
        "backbone": config["backbone"],
        "size_px": manifest.task.preprocess.size_px,
        "manifest_sha256": manifest.provenance["manifest_sha256"],
        "seconds": round(time.perf_counter() - start),
    }
    return {**facts, "rows": rows}


def _row(folder: Path, record: TargetRecord) -> dict[str, Any]:
    judged = record.judged
    return {
        "precision": record.precision,
        "proven_by": record.proven_by,
        "mb": round(size_bytes(folder, record) / 1e6, 2),
        "p50_ms": record.p50_ms,
        "max_relative": record.parity.get("max_relative"),
        "cosine_mean": record.parity.get("cosine_mean"),
        "judged": None if judged is None else judged.model_dump(mode="json"),
    }


def _markdown(found: dict[str, Any]) -> str:
    parts = [f"Hardware: {found['hardware']}"]
    for name, task in found["tasks"].items():
        parts.append(f"### {name}: {task['task']}, {task['backbone']}")
        lines = [" | ".join(COLUMNS), " | ".join("---" for _ in COLUMNS)]
        lines += [" | ".join(_cells(row)) for row in task["rows"]]
        parts.append("\n".join(f"| {line} |" for line in lines))
    return "\n\n".join(parts) + "\n"


def _short(found: dict[str, Any]) -> str:
    """One table, a row a target and a column a task: megabytes, milliseconds, change of the answers."""
    tasks = found["tasks"]
    rows = {name: {row["target"]: row for row in task["rows"]} for name, task in tasks.items()}
    targets = list(dict.fromkeys(target for of in rows.values() for target in of))
    titles = [f"{name}: {task['task']}, {task['size_px'][0]} px" for name, task in tasks.items()]
    lines = [" | ".join(["target", *titles]), " | ".join(["---"] * (1 + len(tasks)))]
    for target in targets:
        lines.append(" | ".join([target, *(_cell(of.get(target)) for of in rows.values())]))
    return "\n".join(f"| {line} |" for line in lines) + "\n"


def _cell(row: dict[str, Any] | None) -> str:
    if row is None or "refused" in row:
        return "" if row is None else "refused"
    time_ms = "" if row["p50_ms"] is None else f", {row['p50_ms']:.1f} ms"
    judged = row["judged"]
    change = None if judged is None else judged["change"]["value"]
    words = "equal" if judged is None else "not shown" if change is None else f"{100 * change:+.1f}"
    return f"{row['mb']:.1f} MB{time_ms}, {words}"


def _cells(row: dict[str, Any]) -> list[str]:
    if "refused" in row:
        return [row["target"], "", "", "", "", "", f"refused: {row['refused']}".replace("|", "/")]
    by = "not run here" if row["proven_by"].startswith("nothing") else row["proven_by"]
    time_ms = "" if row["p50_ms"] is None else f"{row['p50_ms']:.1f}"
    return [row["target"], row["precision"], by, f"{row['mb']:.1f}", time_ms, f"{row['max_relative']:.1e}",
            _answers(row["judged"])]  # fmt: skip


def _answers(judged: dict[str, Any] | None) -> str:
    """What judging found, or that equal numbers need none."""
    if judged is None:
        return "equal"
    change, words = judged["change"], []
    if change["value"] is not None:
        interval = "" if change["low"] is None else f" [{change['low']:+.3f}, {change['high']:+.3f}]"
        words.append(f"{judged['metric']} {change['value']:+.3f}{interval}")
    if judged["agreement"] is not None:
        words.append(f"same {judged['agreement']:.1%}")
    if judged["cosine_mean"] is not None:
        words.append(f"cosine {judged['cosine_mean']:.4f}")
    return ", ".join([*words, f"n {judged['n']}"])


def _hardware() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{model or platform.processor()}, {os.cpu_count()} cores, {platform.system()}"


if __name__ == "__main__":
    main()
