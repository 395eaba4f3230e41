"""Whether the classes can be told apart without looking at the subject."""

from __future__ import annotations

import numpy as np

from vnvision.data.manifest import Manifest
from vnvision.evaluate.shortcut_rows import stacked
from vnvision.evaluate.shortcuts import probe_views
from vnvision.teach.head import folds
from vnvision.teach.look import Seen
from vnvision.teach.records import Note

ASKED = ("border", "background")
"""What surrounds the subject; light and colour alone are often the disease itself."""
_PARTS = 2


def background_notes(seen: Seen, rows: Manifest, *, seed: int) -> tuple[Note, ...]:
    """A warning for each view of the surroundings that gives the classes away; empty where none does.

    Half of the groups teach the probe, the other half are asked about.
    """

    targets = np.array([photo.target for photo in seen.photos], np.int64)
    codes = np.unique(rows.group_keys(), return_inverse=True)[1]
    train, _ = folds(targets, codes, _PARTS, seed)[0]
    learned = np.zeros(len(targets), bool)
    learned[train] = True
    found = probe_views(stacked(list(seen.poor), ASKED), rows, learned, n_boot=500, seed=seed)
    return tuple(
        Note(code=f"shortcut_{row.view}", vi=row.says["vi"], en=row.says["en"])
        for row in found
        if row.verdict == "strong"
    )
