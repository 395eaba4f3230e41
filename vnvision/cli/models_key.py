"""``vnvision models key --out DIR``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def key(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="new folder for the two files; nothing is overwritten")
    ],
) -> None:
    """Make a key that bundles are signed with (Ed25519).

    Set VNVISION_SIGNING_PASSPHRASE first to encrypt the private half. It stays on the machine that exports.
    """
    from vnvision.runtime.signature import generate_key

    made = generate_key(out)
    print(f"private {made.private}  keep it secret, and a copy offline")
    print(f"public  {made.public}  for the folder that VNVISION_TRUSTED_KEYS names where bundles run")
    print(f"finger  {made.fingerprint}")
