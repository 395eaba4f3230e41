"""``vnvision teach FOLDER --out BUNDLE --name NAME --add``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

if TYPE_CHECKING:
    from vnvision.records import Metric
    from vnvision.teach.bar import Progress
    from vnvision.teach.records import Taught

WORDS: dict[str, tuple[str, str]] = {
    "read": ("đọc ảnh", "reading photographs"),
    "groups": ("tìm ảnh trùng", "looking for copies"),
    "score": ("chấm điểm", "measuring"),
    "background": ("xem nền ảnh", "probing the background"),
    "fit": ("học", "learning"),
    "write": ("ghi mô hình", "writing the model"),
    "done": ("xong", "done"),
}
HEADS = {
    "vi": ("lớp", "ảnh", "khác nhau", "độ nhạy"),
    "en": ("class", "photographs", "that differ", "recall"),
}


def teach(
    folder: Annotated[Path, typer.Argument(help="one folder a class, 20 photographs or more in each")],
    out: Annotated[Path, typer.Option(help="where the model goes")],
    name: Annotated[
        str | None, typer.Option(help="what to call it; default: the name of the folder --out")
    ] = None,
    language: Annotated[str, typer.Option(help="of what is printed: vi or en")] = "en",
    domain: Annotated[str, typer.Option(help="crop or clinic; clinic keeps file names out of it")] = "crop",
    by_folder: Annotated[
        bool, typer.Option("--by-folder", help="a folder inside a class is one plant or patient")
    ] = False,
    trunk: Annotated[str | None, typer.Option(help="model whose network describes the photographs")] = None,
    add: Annotated[bool, typer.Option("--add", help="put it beside the models that ship too")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace a model that is there")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Teach a classifier from your own photographs, in a minute, and say honestly how good it is."""
    from vnvision import api
    from vnvision.errors import ConfigError

    if language not in ("vi", "en"):
        raise ConfigError("unknown language", expected="vi or en", got=language)
    options: dict[str, Any] = {} if trunk is None else {"trunk": trunk}
    with _bar(language, quiet=as_json) as progress:
        taught = api.teach(
            folder, out, name=name or out.absolute().name, domain=cast(Any, domain), by_folder=by_folder,
            overwrite=overwrite, progress=progress, **options,
        )  # fmt: skip
    added = api.add_model(taught.folder, taught.name, replace=overwrite) if add else None
    if as_json:
        shown = taught.model_dump(mode="json") | {"added": None if added is None else str(added)}
        print(json.dumps(shown, ensure_ascii=False, indent=2))
        return
    _show(taught, language)
    called = taught.name if added is not None else str(out)
    print(f"{'mô hình' if language == 'vi' else 'model'}  {taught.folder}")
    print(f"{'dùng bằng' if language == 'vi' else 'use it with'}: vnvision predict {called} PHOTO")


def _show(taught: Taught, language: str) -> None:
    from rich.console import Console
    from rich.table import Table

    code = cast(Any, language)
    print(taught.verdict.text(code))
    table = Table(*HEADS[language])
    for row in taught.rows:
        table.add_row(row.label.vi, str(row.photos), str(row.distinct), _figure(row.recall))
    Console(markup=False, highlight=False).print(table)
    vi = language == "vi"
    print(f"{'tỉ lệ đúng' if vi else 'accuracy'} {_figure(taught.accuracy)}, ", end="")
    print(f"{'cân bằng' if vi else 'balanced'} {_figure(taught.balanced_accuracy)}")
    for note in taught.warnings:
        print(f"! {note.text(code)}")
    for one in taught.skipped:
        print(f"- {one.photo}: {(one.why_vi if vi else None) or one.why}")


def _figure(metric: Metric) -> str:
    if metric.value is None:
        return "-"
    ends = [f"{end:.2f}" for end in (metric.low, metric.high) if end is not None]
    return f"{metric.value:.2f}" + (f" [{', '.join(ends)}]" if ends else "")


@contextmanager
def _bar(language: str, *, quiet: bool) -> Iterator[Progress | None]:
    """A bar on stderr, where that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield None
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0)

        def progress(share: float, stage: str) -> None:
            words = WORDS.get(stage, (stage, stage))
            bar.update(task, completed=share, description=words[language == "en"])

        yield progress
