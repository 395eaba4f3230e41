"""``vnvision models verify BUNDLE --trusted DIR``, and the group that ``vnvision models`` is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from vnvision.cli.models import models

app = typer.Typer(
    help="What there is to call, and your own models; bundles checked and signed; networks to start from.",
    invoke_without_command=True,
)


@app.callback()
def _models(
    ctx: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False
) -> None:
    """Ready functions and models: see list. Without a verb: starting points for training, as backbones."""
    if ctx.invoked_subcommand is None:
        models(as_json)


@app.command("verify")
def verify(
    bundle: Annotated[Path, typer.Argument(help="bundle folder")],
    trusted: Annotated[
        Path | None,
        typer.Option(help="folder of public keys (*.pem), or one; default: VNVISION_TRUSTED_KEYS"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="what the model must be called")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print as JSON")] = False,
) -> None:
    """Check every file of a bundle against its manifest, and the manifest's signature. Runs no model.

    Without trusted keys this says that the bundle is whole, not who made it.
    """
    from vnvision.errors import BundleError
    from vnvision.runtime import open_bundle

    found = open_bundle(bundle, trusted=trusted)
    manifest = found.manifest
    if name is not None and manifest.name != name:
        raise BundleError(f"bundle {bundle} is another model", expected=name, got=manifest.name)
    facts = {
        "bundle": str(bundle),
        "name": manifest.name,
        "schema_version": manifest.schema_version,
        "sha256": found.digest,
        "signed": found.signed,
        "signer": found.signer,
        "files": len(manifest.files),
        "targets": sorted(manifest.targets),
        "commit": manifest.provenance.get("commit"),
    }
    if as_json:
        print(json.dumps(facts, ensure_ascii=False, indent=2))
        return
    print(f"bundle  {bundle}: {manifest.name}, {len(manifest.files)} files as listed")
    print(f"sha256  {found.digest}")
    if found.signed:
        print(f"signed  by trusted key {found.signer}")
    else:
        print("signed  not checked: name the keys you trust with --trusted DIR")
