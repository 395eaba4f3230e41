"""Runs ``vnvision face`` verbs and reads what they print."""

import json

from typer.testing import CliRunner

from vnvision.cli import main as entry


def run(*words, **options):
    """Exit code, stdout and stderr; an error of ours is left in ``exception`` as ``main`` would see it."""
    return CliRunner().invoke(entry.app, ["face", *(str(word) for word in words)], **options)


def lines(done):
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return [json.loads(line) for line in done.stdout.splitlines()]


def both(err):
    """An error's two languages, from one line on stderr."""
    assert err.count("\n") == 1, err
    assert err.startswith("vnvision: ")
    english, vietnamese = err.removeprefix("vnvision: ").rstrip("\n").split(" | ")
    return english, vietnamese
