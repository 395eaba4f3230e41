"""``vnvision quickstart --out DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def quickstart(
    out: Annotated[Path, typer.Option(help="where everything goes")] = Path("out"),
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """No data, no network: draw synthetic leaves, train, evaluate, export, predict."""
    from vnvision import api

    result = api.quickstart(out, quiet=as_json)
    if as_json:
        import json

        print(json.dumps(result, ensure_ascii=False, indent=2))
        return
    print()
    print("Done, on SYNTHETIC leaves: this shows that everything works, and says nothing about real crops.")
    for key in ("data", "run", "report", "bundle"):
        print(f"  {key:<8}{result[key]}")
    low, high = result["accuracy_interval"]
    print(
        f"  test accuracy {result['accuracy']:.3f} [{low:.3f}, {high:.3f}] on {result['n']} synthetic leaves"
    )
    print(f"  next: vnvision predict {result['bundle']} {result['example']}")
