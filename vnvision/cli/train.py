"""``vnvision train CONFIG key=value ...``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[Path, typer.Argument(help="YAML file, such as training/configs/classify/ibean.yaml")],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=VALUE]...", help="data=MANIFEST output=DIR epochs=10 ..."),
    ] = None,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved configuration and leave.")
    ] = False,
    show_plan: Annotated[
        bool, typer.Option("--plan", help="Print predicted memory and time of face training and leave.")
    ] = False,
    people: Annotated[
        list[int] | None,
        typer.Option("--people", min=2, help="With --plan: for so many people; repeat it."),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Nothing on screen but the result.")] = False,
) -> None:
    """Train, evaluate, and leave a run folder with report.json and report.html."""
    from vnvision import api
    from vnvision.cli.show import missing_train_extra

    with missing_train_extra():
        from vnvision.train.config import parse_overrides, to_yaml
    values = parse_overrides(overrides or [])
    resolved = api.load_train_config(config, values)
    if print_config:
        print(to_yaml(resolved), end="")
        return
    if show_plan:
        from vnvision.cli.train_plan import print_plan

        print_plan(resolved, people or ())
        return
    folder = api.train_resolved(resolved, quiet=quiet)
    print(f"run     {folder}")
    page = folder / "report.html"
    print(f"report  {page if page.is_file() else folder / 'report.json'}")
