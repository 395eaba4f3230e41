"""What the ``note`` of a metric of masks, boxes or counts may say: see ``notes``."""

from __future__ import annotations

NOT_IN_TRUTH = "no image holds this label: not defined"
IN_EVERY_TRUTH = "every image holds this label: not defined"
NO_DISTANCE = "left out: {count} of {images} images on which nothing was marked"
NO_SPACING = "left out: {count} of {images} images without a pixel spacing"
NO_PAIR = "on no image both truth and answer hold this label: not defined"
NO_OBJECT = "no object of this label: not defined"
NOTHING_FOUND = "nothing of this label was marked: not defined"
NO_WHOLE = "left out: {count} of {images} images on which nothing to take a share of was found"
NO_SHARE = "no image with a share of its own and one marked: not defined"
TOO_FEW = "fewer than two images: not defined"
