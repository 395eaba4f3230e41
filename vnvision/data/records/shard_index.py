"""What a set of tar shards holds: the file beside them, and each shard's samples."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from vnvision.errors import DataError
from vnvision.spec import Record

SUFFIX = ".index.json"
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "TIFF": "tif"}


class Shard(Record):
    """One tar file.

    Attributes:
        file: its name.
        n: samples.
        bytes: of the file.
        sha256: of the file.
        first_row: of the manifest's rows that are packed, the one its first sample shows.
    """

    file: str = Field(pattern=r"^[^/\\]+\.tar$")
    n: int = Field(ge=1)
    bytes: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    first_row: int = Field(ge=0)


class PackJob(Record):
    """What decides every byte of a set of shards.

    Attributes:
        name: what the shards' names start with.
        manifest_sha256: of the manifest.
        aligned_sha256: of the aligned cache's manifest, where its crops are packed.
        shard_bytes: no shard is longer, one of a single sample apart.
        n: samples.
        left_out: rows of the manifest that have no aligned crop.
        identities: persons, where there is a column ``identity``.
        columns: keys of each sample's JSON.
    """

    schema_version: int = Field(default=1, ge=1, le=1)
    name: str
    manifest_sha256: str
    aligned_sha256: str | None = None
    shard_bytes: int = Field(ge=1)
    n: int = Field(ge=1)
    left_out: int = Field(default=0, ge=0)
    identities: int | None = None
    columns: tuple[str, ...]


class ShardIndex(Record):
    """The shards of one set, in order."""

    job: PackJob
    shards: tuple[Shard, ...]


def read_shard_index(path: str | Path) -> ShardIndex:
    """The index of a set of shards, or of the only set in a folder.

    Raises:
        DataError: there is none or there are several, or it is damaged.
    """
    path = Path(path)
    if path.is_dir():
        path = only_index(path)
    index = ShardIndex.load(path, DataError)
    total = sum(shard.n for shard in index.shards)
    if total != index.job.n:
        raise DataError(f"{path}: samples", expected=str(index.job.n), got=f"{total} in its shards")
    return index


def only_index(folder: Path) -> Path:
    """The one index in a folder.

    Raises:
        DataError: there is none, or several.
    """
    found = sorted(folder.glob(f"*{SUFFIX}"))
    if len(found) != 1:
        got = ", ".join(file.name for file in found) or "none"
        raise DataError(f"{folder} holds no set of shards", expected=f"one NAME{SUFFIX}", got=got)
    return found[0]
