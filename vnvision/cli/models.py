"""``vnvision models``: what can be trained from, and what is at hand."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def models(as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False) -> None:
    """List starting points for training: backbones whose ImageNet weights need no network."""
    from vnvision.cli.show import missing_train_extra

    with missing_train_extra():
        from vnvision.models.weights import OFFLINE, is_installed
    rows = [
        {"backbone": name, "weights": "offline", "licence": entry.licence, "installed": is_installed(name)}
        for name, entry in OFFLINE.items()
    ]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print(f"{row['backbone']:<24}{row['licence']:<12}{'ready' if row['installed'] else 'not installed'}")
    print("any other timm network: weights=none, weights=FILE.safetensors, or weights=download")
