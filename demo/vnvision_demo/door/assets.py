"""Gradio's own files, with a Vietnamese language file among the others.

Gradio comes with 33 languages and loads the one of the browser from a file; Vietnamese is none of them. Its
list of languages is served with one entry renamed to ``vi``, and that entry's file with our texts in it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

_CARRIER = "id"  # Indonesian: the entry that gives way
_ENTRY = f'"./lang/{_CARRIER}.json"'


@cache
def _folder() -> Path:
    import gradio

    return Path(gradio.__file__).parent / "templates" / "frontend" / "assets"


@cache
def patched() -> dict[str, bytes]:
    """File name -> what is served in its place.

    Raises:
        RuntimeError: this version of Gradio keeps its languages otherwise.
    """
    from vnvision_demo.texts.gradio_vi import TEXTS

    lists = [path for path in _folder().glob("*.js") if _ENTRY in path.read_text("utf-8")]
    files = [
        path for path in _folder().glob(f"{_CARRIER}-*.js") if "Bahasa Indonesia" in path.read_text("utf-8")
    ]
    if not lists or len(files) != 1:
        raise RuntimeError("this version of gradio keeps its languages otherwise: expected 6.31")
    served = {
        path.name: path.read_text("utf-8").replace(_ENTRY, '"./lang/vi.json"').encode() for path in lists
    }
    module = f"export default {json.dumps(TEXTS, ensure_ascii=False)};"
    return served | {files[0].name: module.encode()}
