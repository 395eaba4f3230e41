"""Embedded faces as Parquet: one row a picture, the model's fingerprint in the file's own metadata."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vnvision import atomic
from vnvision.errors import DataError, MissingExtraError
from vnvision.faces.embedded import EmbeddedFaces
from vnvision.records import Face

OWN = ("path", "reason", "n_faces", "score", "quality", "box_xyxy_px", "landmarks_px", "embedding")
_MODEL, _MANIFEST, _VERSION = b"vnvision.model", b"vnvision.manifest_sha256", b"vnvision.schema_version"


@dataclass(frozen=True, slots=True)
class EmbeddedRow:
    """A picture, what its manifest says, how many faces it shows, the chosen one or why there is none."""

    path: str
    columns: tuple[str, ...]
    n_faces: int
    face: Face | None
    reason: str


def need_pyarrow() -> Any:
    """The package, imported late.

    Raises:
        MissingExtraError: not installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise MissingExtraError("pyarrow", "parquet") from exc
    return pyarrow


def check_columns(columns: Sequence[str]) -> None:
    """Refuse columns of a manifest that would overwrite ours.

    Raises:
        DataError: a column has the name of one of ours.
    """
    taken = sorted(set(columns) & set(OWN))
    if taken:
        raise DataError(
            "a column's name is taken",
            expected=f"none of {', '.join(OWN)}",
            got=", ".join(taken),
            fix="rename it in the manifest",
        )


def to_bytes(
    rows: Sequence[EmbeddedRow], columns: Sequence[str], model: str, size: int, manifest_sha256: str
) -> bytes:
    """A Parquet file of rows.

    Raises:
        DataError: a column of the manifest has the name of one of ours.
    """
    pa = need_pyarrow()
    check_columns(columns)
    faces = [row.face for row in rows]
    empty = [0.0] * size
    embeddings = np.array([face.embedding if face else empty for face in faces], np.float32)
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(embeddings.ravel()), size)
    values = {
        "path": pa.array([row.path for row in rows], pa.string()),
        **{name: pa.array([row.columns[i] for row in rows], pa.string()) for i, name in enumerate(columns)},
        "reason": pa.array([row.reason for row in rows], pa.string()),
        "n_faces": pa.array([row.n_faces for row in rows], pa.int32()),
        "score": pa.array([face.score if face else None for face in faces], pa.float32()),
        "quality": pa.array(
            [(face.quality or {}).get("score") if face else None for face in faces], pa.float32()
        ),
        "box_xyxy_px": pa.array(
            [list(face.box_xyxy_px) if face else None for face in faces], pa.list_(pa.float32())
        ),
        "landmarks_px": pa.array(
            [[v for point in face.landmarks_px for v in point] if face else None for face in faces],
            pa.list_(pa.float32()),
        ),
        "embedding": vectors,
    }
    metadata = {_MODEL: model, _MANIFEST: manifest_sha256, _VERSION: "1"}
    table = pa.table(values).replace_schema_metadata(metadata)
    stream = io.BytesIO()
    pa.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def join_parts(parts: Sequence[Path], out: Path) -> Path:
    """One file of several, a part at a time; it is whole or absent.

    Raises:
        DataError: a part is damaged.
    """
    pa = need_pyarrow()
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            schema = pa.parquet.read_schema(parts[0])
            with pa.parquet.ParquetWriter(stream, schema, compression="zstd") as writer:
                for part in parts:
                    writer.write_table(pa.parquet.read_table(part))
            stream.flush()
            os.fsync(stream.fileno())
        Path(name).chmod(0o600)
        Path(name).replace(out)
    except pa.ArrowException as exc:
        Path(name).unlink(missing_ok=True)
        raise DataError(
            f"a part of {out} is damaged", got=str(exc)[:120], fix=f"delete {parts[0].parent} and start again"
        ) from exc
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    atomic.sync_folder(out.parent)
    return out


def is_embedded(path: str | Path) -> bool:
    """Whether a file is one that ``face embed`` wrote, by its metadata; False for any other file."""
    if Path(path).suffix.lower() != ".parquet":
        return False
    pa = need_pyarrow()
    try:
        return _MODEL in (pa.parquet.read_schema(path).metadata or {})
    except (OSError, pa.ArrowException):
        return False


def read_embedded(path: str | Path) -> EmbeddedFaces:
    """Read what ``face embed`` wrote.

    Raises:
        DataError: missing, damaged, or no file of embedded faces.
        MissingExtraError: pyarrow is not installed.
    """
    pa = need_pyarrow()
    try:
        table = pa.parquet.read_table(path)
    except (OSError, pa.ArrowException) as exc:
        raise DataError(f"cannot read {path}", expected="a file of face embed", got=str(exc)[:120]) from exc
    metadata = table.schema.metadata or {}
    missing = sorted({*OWN} - set(table.column_names))
    if missing or _MODEL not in metadata:
        raise DataError(
            f"{path} holds no embedded faces",
            expected="a file that vnvision face embed wrote",
            got=f"no {', '.join(missing)}" if missing else "no model named in it",
        )
    vectors = table["embedding"].combine_chunks()
    flat = vectors.flatten().to_numpy(zero_copy_only=False)
    extra = [name for name in table.column_names if name not in OWN]
    return EmbeddedFaces(
        embeddings=np.asarray(flat, np.float32).reshape(len(table), -1),
        paths=tuple(table["path"].to_pylist()),
        reasons=tuple(table["reason"].to_pylist()),
        columns={name: tuple(table[name].to_pylist()) for name in extra},
        model=metadata[_MODEL].decode(),
        manifest_sha256=metadata.get(_MANIFEST, b"").decode(),
    )
