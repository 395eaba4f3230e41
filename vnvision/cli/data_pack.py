"""``vnvision data pack MANIFEST --out DIR --shard-mb 256 --aligned CACHE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from vnvision.cli.show import bar


def pack(
    manifest: Annotated[Path, typer.Argument(help="CSV or Parquet manifest")],
    out: Annotated[Path, typer.Option(help="folder for the shards and their index")],
    shard_mb: Annotated[float, typer.Option(help="largest size of a shard in MiB")] = 256,
    aligned: Annotated[
        Path | None, typer.Option(help="folder of face align: pack its crops; rows without one are left out")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="what the shards' names start with; default: the manifest's name")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="no progress bar")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the index as JSON")] = False,
) -> None:
    """Pictures, bytes unchanged, and their columns as tar shards that WebDataset reads.

    The same input gives the same bytes. Stopped and started again, it goes on behind the last whole shard.
    """
    from vnvision.data.records.packing import pack_shards
    from vnvision.data.records.shard_index import read_shard_index

    with bar("packing", quiet=quiet or as_json) as progress:
        path = pack_shards(manifest, out, name=name, shard_mb=shard_mb, aligned=aligned, progress=progress)
    index = read_shard_index(path)
    if as_json:
        print(index.to_json())
        return
    job = index.job
    left = f", {job.left_out} rows without a crop left out" if job.left_out else ""
    print(f"{path}: {job.n} samples in {len(index.shards)} shards{left}")
