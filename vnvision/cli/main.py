"""Entry point. Verbs load what they need when they run, so that ``--help`` stays fast."""

from __future__ import annotations

import os
import sys

import typer

from vnvision import __version__
from vnvision.cli import (
    bench,
    clinic,
    clinic_results,
    data,
    demo,
    doctor,
    evaluate,
    export,
    face,
    face_data,
    face_eval,
    face_gallery,
    face_kit,
    face_photos,
    face_sets,
    models,
    models_key,
    models_list,
    models_verify,
    predict,
    quickstart,
    teach,
    train,
)
from vnvision.errors import VnvisionError

app = typer.Typer(
    help="Train, prove and export face, clinic and crop models on regional data. Everything runs offline.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("quickstart")(quickstart.quickstart)
app.command("teach")(teach.teach)
app.command("train", context_settings={"ignore_unknown_options": False})(train.train)
app.command("eval")(evaluate.evaluate)
app.command("predict")(predict.predict)
app.command("export")(export.export)
app.command("bench")(bench.bench)
app.command("demo")(demo.demo)
models_verify.app.command("list")(models_list.show_list)
models_verify.app.command("show")(models_list.show)
models_verify.app.command("add")(models_list.add)
models_verify.app.command("remove")(models_list.remove)
models_verify.app.command("key")(models_key.key)
models_verify.app.command("backbones")(models.models)
app.add_typer(models_verify.app, name="models")
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
face.app.add_typer(face_data.app)
face.app.add_typer(face_eval.app)
face.app.add_typer(face_gallery.app)
face.app.add_typer(face_kit.app)
face.app.add_typer(face_photos.app)
face.app.add_typer(face_sets.app)
app.add_typer(face.app, name="face")
clinic.app.command("report")(clinic_results.report)
app.add_typer(clinic.app, name="clinic")


@app.callback(invoke_without_command=True)
def _version(
    ctx: typer.Context, version: bool = typer.Option(False, "--version", help="Print the version and leave.")
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def main() -> None:
    """Run a verb. A user's mistake is one line on stderr and exit code 2; Ctrl-C is 130."""
    os.environ.setdefault("OPENCV_LOG_LEVEL", "ERROR")
    try:
        app()
    except VnvisionError as exc:
        print(f"vnvision: {exc.in_both()}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("vnvision: stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
