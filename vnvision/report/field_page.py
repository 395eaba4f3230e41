"""The field comparison or the shortcut probe as a page of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vnvision import atomic
from vnvision.errors import ConfigError, DataError
from vnvision.evaluate.field import FieldReport
from vnvision.evaluate.shortcuts import ShortcutReport
from vnvision.report.environment import SHARED
from vnvision.report.field_cards import field_section, rendered, shortcut_section
from vnvision.report.field_words import tell
from vnvision.report.phrases import LANGUAGES, Html, Language
from vnvision.spec import Label


def write_field_page(
    out_dir: str | Path,
    *,
    field: FieldReport | None = None,
    shortcuts: ShortcutReport | None = None,
    labels: Sequence[Label] = (),
    language: Language = "en",
) -> Path:
    """Write ``field.html`` (or ``shortcuts.html``) with what is given, and its JSON beside it, last.

    Returns:
        The path of the page.

    Raises:
        ConfigError: nothing to write, or an unknown language.
        DataError: the folder cannot be written.
        MissingExtraError: jinja2 is not installed.
    """
    if language not in LANGUAGES:
        raise ConfigError("language", expected=" or ".join(LANGUAGES), got=str(language))
    if field is None and shortcuts is None:
        raise ConfigError("nothing to write", expected="a field report or a shortcut report")
    sections = [field_section(field, labels)] if field is not None else []
    sections += [shortcut_section(shortcuts)] if shortcuts is not None else []
    name = "field" if field is not None else "shortcuts"
    title = field.model if field is not None else shortcuts.name if shortcuts is not None else ""
    page = rendered("page", {
        "language": language,
        "page_title": f"{tell('title').text(language)} · {title}",
        "style": Html((SHARED / "style.css").read_text("utf-8")),
        "name": title,
        "sections": sections,
    })  # fmt: skip
    out = Path(out_dir)
    try:
        path = atomic.write_text(out / f"{name}.html", page)
        if field is not None:
            field.save(out / "field.json")
        if shortcuts is not None:
            shortcuts.save(out / "shortcuts.json")
    except OSError as exc:
        raise DataError(f"cannot write the report to {out}", got=exc.strerror or str(exc)) from exc
    return path
