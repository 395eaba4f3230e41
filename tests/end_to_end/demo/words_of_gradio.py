"""Gradio's English words, read from its own files, and what of them a page shows."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

# Written into the pages without a language file, or new in a version: all that was ever noticed.
NOTICED = (
    "Loading...", "Processing", "Cancel upload", "File upload", "More tabs", "Clear", "Upload file", "Error",
    "Click to Access Webcam", "Capture", "Stop", "Download", "Fullscreen", "View in full screen", "Share",
    "Remove Image", "Use via API", "Settings", "Built with Gradio", "No options", "options", "Webcam",
    "number input for", "range slider for", "Uploading", "queue", "Close", "Drop Image Here", "or",
)  # fmt: skip

_SEEN = """
() => {
  const found = new Set();  // a model's card is a document of its own: both languages' labels, names, code
  const shown = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim();
    const parent = walker.currentNode.parentElement;
    if (!text || !parent || parent.closest("script, style, noscript, .v-card-text")) continue;
    if (shown(parent)) found.add(text);
  }
  for (const one of document.querySelectorAll("button, a, label, p, span")) {
    for (const part of ["::before", "::after"]) {
      const told = getComputedStyle(one, part).content.match(/^"(.*\\p{L}.*)"$/u);
      if (told && shown(one)) found.add(told[1]);
    }
  }
  for (const one of document.querySelectorAll("[aria-label], [title], [placeholder], [alt]")) {
    if (!shown(one) && one.type !== "file") continue;
    for (const name of ["aria-label", "title", "placeholder", "alt"]) {
      const text = (one.getAttribute(name) || "").trim();
      if (text) found.add(text);
    }
  }
  return [...found];
}
"""


@cache
def english() -> frozenset[str]:
    """Every word or phrase of Gradio's English language file."""
    import gradio

    folder = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"
    for path in folder.glob("core-*.js"):
        text = path.read_text("utf-8")
        if "Click to Upload" not in text:
            continue
        start = text.index("Click to Upload")
        near = text[max(0, start - 20_000) : start + 20_000]
        pairs = re.findall(r"[\w\"]+:`([^`$]{2,200})`", near)
        found = frozenset(one.strip() for one in pairs if re.search("[A-Z a-z]{3}", one))
        assert len(found) > 80, "Gradio keeps its English words otherwise"
        return found
    raise AssertionError("Gradio keeps its English words otherwise")


def seen(page: Any) -> set[str]:
    """Every text that a page shows or that a screen reader would say."""
    return set(page.evaluate(_SEEN))
