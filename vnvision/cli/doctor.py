"""``vnvision doctor``."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def doctor(as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False) -> None:
    """Say what is installed, what this machine has, and what to install for what is missing."""
    from vnvision.doctor import examine

    facts = examine()
    if as_json:
        print(json.dumps(facts, indent=2))
        return
    print(f"vnvision {facts['vnvision']}   Python {facts['python']}   {facts['platform']}")
    print(
        f"cores {facts['cores']}   memory {facts['memory_gb']} GB   GPU {', '.join(facts['gpus']) or 'none'}"
    )
    print("engines  " + "   ".join(f"{name} {found or '-'}" for name, found in facts["engines"].items()))
    built = [
        f"{name} {'built' if whole else 'built at first use'}" for name, whole in facts["converters"].items()
    ]
    print("converters in environments of their own  " + "   ".join(built))
    ready = [name for name, state in facts["extras"].items() if state["ready"]]
    print("extras   " + (" ".join(sorted(ready)) or "none"))
    have = [f"{name} {found}" for name, found in facts["packages"].items() if found]
    print("packages " + ", ".join(have))
    for item in facts["problems"]:
        print(f"- {item['problem']}\n    {item['fix']}")
    if not facts["problems"]:
        print("nothing is missing")
