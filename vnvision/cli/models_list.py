"""``vnvision models (list | show | add | remove)``: what there is to call, and the door for your own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from vnvision.hub.listing import Entry

LANGUAGE = Annotated[str, typer.Option(help="vi or en")]
NAME = Annotated[str, typer.Argument(metavar="NAME", help="as in models list")]
HEADS = {
    "en": ("name", "what it does", "needs", "measured", "MB", "licence of the data", "status"),
    "vi": ("tên", "làm gì", "cần cài", "kết quả đo", "MB", "giấy phép dữ liệu", "trạng thái"),
}
_FILE_WIDTH = 160  # where the table goes to no terminal


def show_list(
    group: Annotated[str | None, typer.Option(help="only faces, crops, clinic or data")] = None,
    language: LANGUAGE = "en",
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Every ready function and every model, those you have added too."""
    from vnvision.api import models

    found = models(group=group, language=cast(Any, language))
    if as_json:
        print(json.dumps([entry.model_dump(mode="json") for entry in found], ensure_ascii=False, indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*HEADS[language])
    for entry in found:
        table.add_row(*_cells(entry, language))
    console = Console()
    width = console.width if console.is_terminal else _FILE_WIDTH
    Console(width=width, markup=False, highlight=False).print(table)


def _cells(entry: Entry, language: str) -> list[str]:
    from vnvision.hub.listing import STATUS_VI

    vi = language == "vi"
    absent = "chưa cài" if vi else "not here"
    needs = entry.needs + ("" if entry.installed else f" ({absent})")
    return [
        entry.name,
        f"{entry.title}. {entry.what}" if entry.title != entry.name else entry.what,
        needs,
        entry.figure,
        "" if entry.size_mb is None else f"{entry.size_mb:.1f}",
        ", ".join(dict.fromkeys(entry.licences)),
        STATUS_VI[entry.status] if vi else entry.status,
    ]


def show(name: NAME, language: LANGUAGE = "en") -> None:
    """A model's card, or what a function does with its two examples."""
    from vnvision.api import models
    from vnvision.hub import catalogue, shelf

    named = [one for one in models(language=cast(Any, language)) if one.name == name]
    if not named:
        raise shelf.unknown(name) if shelf.is_name(name) else shelf.unnameable(name)
    entry = named[-1]  # of two the user's model, which is what load_bundle opens
    function = catalogue.find(name) if len(named) == 1 else None
    name, *rest = _cells(entry, language)
    print(name)
    for title, text in zip(HEADS[language][1:], rest, strict=True):
        if text:
            print(f"  {title}: {text}")
    if function is not None:
        print(f"  {'kết quả' if language == 'vi' else 'gives'}: {function.output.text(language)}")
        print("\n  import vnvision as vv\n  " + function.python.strip().replace("\n", "\n  "))
        print(f"\n  {function.command}")
    if entry.path is not None:
        from vnvision.hub.cards import card_text
        from vnvision.runtime import open_bundle

        print("\n" + card_text(open_bundle(entry.path).root, cast(Any, language)))


def add(
    bundle: Annotated[Path, typer.Argument(help="bundle folder, as vnvision export writes it")],
    name: Annotated[str | None, typer.Option(help="what to call it; default: the bundle's own name")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="take the place of one of your own")] = False,
    trusted: Annotated[
        Path | None,
        typer.Option(help="folder of public keys (*.pem), or one; default: VNVISION_TRUSTED_KEYS"),
    ] = None,
) -> None:
    """Verify a bundle and copy it to where predict, load_bundle and models list find it by name."""
    from vnvision.api import add_model

    folder = add_model(bundle, name, replace=replace, trusted=trusted)
    print(f"model  {folder}")
    print(f"use it with: vnvision predict {folder.name} PICTURE")


def remove(name: NAME) -> None:
    """Delete a model that you have added. Models that ship stay."""
    from vnvision.api import remove_model

    print(f"removed  {remove_model(name)}")
