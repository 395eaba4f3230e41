"""Do laboratory and field share anything? What they share makes the field look better than it is."""

from __future__ import annotations

from collections.abc import Iterable

from vnvision import atomic
from vnvision.data.manifest import Manifest
from vnvision.data.neardup import near_duplicate_clusters
from vnvision.errors import DataError

_SHOWN = 3


def refuse_overlap(lab: Manifest, field: Manifest) -> None:
    """Raise where the two share a group or a file.

    Files are compared by the SHA-256 of their bytes as they lie on disk, whatever the manifests state.

    Args:
        lab: every row the model may have seen.
        field: the rows to judge.

    Raises:
        DataError: shared groups or files, or a file that cannot be read.
    """
    groups = {row.group_id for row in lab.rows if row.group_id is not None}
    shared = sorted(
        {row.group_id for row in field.rows if row.group_id in groups and row.group_id is not None}
    )
    if shared:
        fix = "name the groups of each data set apart, or leave these out of one"
        raise _refused(lab, field, "groups", shared, fix)
    of_lab = _digests(lab)
    files = sorted(path for digest, path in _digests(field).items() if digest in of_lab)
    if files:
        raise _refused(lab, field, "files", files, "leave them out of one of the two")


def near_duplicates(lab: Manifest, field: Manifest) -> int:
    """How many field pictures look like a copy of one of the lab's (``vnvision.data.neardup``).

    Raises:
        DataError: a picture cannot be read.
    """
    files = [manifest.file(row) for manifest in (lab, field) for row in manifest.rows]
    clusters = near_duplicate_clusters(files)
    seen = set(clusters[: len(lab)])
    return sum(cluster in seen for cluster in clusters[len(lab) :])


def _digests(manifest: Manifest) -> dict[str, str]:
    """Hash of each file -> its path."""
    out = {}
    for row in manifest.rows:
        try:
            out[atomic.sha256_file(manifest.file(row))] = row.path
        except OSError as exc:
            raise DataError(
                f"row {row.line} of {manifest.path.name}: cannot read {row.path}",
                got=exc.strerror or str(exc),
            ) from exc
    return out


def _refused(lab: Manifest, field: Manifest, what: str, shared: Iterable[str], fix: str) -> DataError:
    names = list(shared)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return DataError(
        f"{lab.path.name} and {field.path.name} share {len(names)} {what}",
        expected="lab and field apart",
        got=", ".join(names[:_SHOWN]) + more,
        fix=fix,
    )
