"""Opening a bundle: nothing is used before every byte of it was verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from vnvision.atomic import sha256_file
from vnvision.errors import BundleError
from vnvision.records import SCHEMA_VERSION, BundleManifest
from vnvision.runtime.guard import plain, strict_json
from vnvision.runtime.guard.contents import check_contents
from vnvision.runtime.guard.folder import check_files, check_names
from vnvision.runtime.guard.keys import TrustedKeys, demanded
from vnvision.runtime.guard.names import MANIFEST, MANIFEST_HASH
from vnvision.runtime.guard.refusal import FIX, UnfitError, refused, shown, unfit
from vnvision.runtime.guard.seal import check_signature
from vnvision.runtime.label_scope import LabelGates, load_gate
from vnvision.runtime.picture_quality import MEASURES
from vnvision.runtime.scope import ScopeGate

__all__ = ["MANIFEST", "MANIFEST_HASH", "Bundle", "open_bundle", "scope_gate", "verified"]

_MOST_MANIFEST = 16 << 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle folder.

    What is guaranteed: every file had the hash in ``manifest``, names and contents are within the limits of
    ``vnvision.runtime.guard``, and, where ``signer`` is not None, the holder of that key signed this very
    manifest. Engines read the files once more, by name: call ``confirm`` when they have. What happens to a
    file after that is not seen, and OpenVINO maps weights instead of copying them, so keep bundles where
    strangers cannot write.

    What is not: memory and time of the inference itself. Sizes written in the files are limited, what many
    layers make of each other is not. Run models of strangers in a process with a memory limit.

    Attributes:
        root: the folder.
        manifest: what it says of itself.
        digest: SHA-256 of ``manifest.json``: one value that stands for all of the bundle.
        signer: fingerprint of the trusted key that signed it; None where none was asked for.
        stamps: what each file and folder was when it was verified, by relative name.
    """

    root: Path
    manifest: BundleManifest
    digest: str = ""
    signer: str | None = None
    stamps: Mapping[str, plain.Stamp] = field(default_factory=dict, repr=False)

    @property
    def signed(self) -> bool:
        """A trusted key has signed it. A signature that nobody asked for counts as none."""
        return self.signer is not None

    def file(self, name: str) -> Path:
        """Where a file of the manifest lies."""
        return self.root / name

    def confirm(self) -> None:
        """Refuse a bundle whose files are no longer those that were verified.

        Costs a look at each file, not its bytes. A file that was exchanged and put back is noticed as well,
        on file systems that keep ``ctime``.

        Raises:
            BundleError: naming the file.
        """
        for name, before in self.stamps.items():
            try:
                same = plain.stamp(self.root / name) == before
            except OSError:
                same = False
            if not same:
                raise refused(
                    self.root,
                    f"was changed while it was opened: {shown(name)}",
                    f"bị thay đổi trong lúc đang mở: {name}",
                    fix="open it again, from a folder that only you can write to",
                )


def open_bundle(path: str | Path, *, trusted: str | Path | None = None) -> Bundle:
    """Open a bundle folder and verify all of it.

    ``manifest.sha256`` holds the hash of ``manifest.json``, which holds the hash of every other file.
    ``manifest.sig``, where there is one, holds a signature over ``manifest.json``.

    Args:
        path: the folder.
        trusted: a folder of public keys (``*.pem``), or one such file: only bundles that one of them signed
            are opened. Default: the folder that ``VNVISION_TRUSTED_KEYS`` names; without either, bundles
            open unsigned, and signatures are not looked at.

    Raises:
        BundleError: naming the file, where the folder is no bundle, the signature is missing, wrong or of an
            unknown key, the manifest is malformed or of a newer schema, any file is missing, unlisted,
            changed, a link out of the folder or not a plain file, or holds what no model of ours holds.
        ConfigError: there are no trusted keys where they should be.
        MissingExtraError: signatures are asked for, and ``cryptography`` is not installed.
    """
    return verified(Path(path), demanded(trusted))


def verified(root: Path, keys: TrustedKeys | None) -> Bundle:
    """As ``open_bundle``, whatever the environment asks for; without keys signatures are not looked at."""
    if not (root / MANIFEST).is_file():
        raise BundleError(
            f"{root} is not a bundle",
            expected=f"a folder with {MANIFEST}",
            fix=FIX,
            vietnamese=f"{root} không phải là gói mô hình (thư mục có {MANIFEST})",
        )
    data = _bytes(root, MANIFEST, _MOST_MANIFEST)
    # First of all, so that of an unsigned bundle nothing but its length is believed.
    signer = None if keys is None else check_signature(root, data, keys)
    manifest = _parsed(root, data)
    check_names(root, manifest)
    stamps = check_files(root, manifest)
    check_contents(root, manifest)
    bundle = Bundle(root, manifest, hashlib.sha256(data).hexdigest(), signer, stamps)
    bundle.confirm()
    return bundle


def scope_gate(manifest: BundleManifest, target: str, model_file: Path) -> ScopeGate | LabelGates | None:
    """The scope gate of a target, from the bundle that its model file lies in; None where it has none.

    Raises:
        BundleError: the gate is missing, damaged, not the one the calibration names, or of other labels.
    """
    record = manifest.targets[target]
    calibration = record.calibration
    if calibration.scope_file is None:
        return None
    path = model_file.parents[len(PurePosixPath(record.file).parts) - 1] / calibration.scope_file
    if not path.is_file() or sha256_file(path) != calibration.scope_sha256:
        raise BundleError(f"bundle {manifest.name}: {path} is missing or was changed", fix=FIX)
    gate = load_gate(path)
    if isinstance(gate, LabelGates) and len(gate.gates) != len(manifest.task.labels):
        raise BundleError(
            f"the scope gates {path} belong to another model",
            expected=f"{len(manifest.task.labels)}, one a label",
            got=str(len(gate.gates)),
            fix=FIX,
        )
    for part in gate.gates if isinstance(gate, LabelGates) else (gate,):
        _check_gate(part, path)
    return gate


def _check_gate(gate: ScopeGate, path: Path) -> None:
    """Refuse a gate whose arrays do not fit each other, or by whose units every picture would be in scope."""
    width, kept, looks = gate.centre.size, len(np.atleast_1d(gate.directions)), len(MEASURES) - 1
    wanted = {"centre": (width,), "directions": (kept, width), "variances": (kept + 1,), "limit": (),
              "look_centre": (looks,), "look_precision": (looks, looks), "units": (2,), "quality": (3,),
              "facts": (3,)}  # fmt: skip
    wrong = [name for name, shape in wanted.items() if getattr(gate, name).shape != shape]
    if wrong or not (gate.variances > 0).all() or not (gate.units > 0).all():
        got = ", ".join(f"{name} {getattr(gate, name).shape}" for name in wrong) or "spreads of 0 or less"
        raise BundleError(f"the scope gate {path} does not fit together", got=got, fix=FIX)


def _parsed(root: Path, data: bytes) -> BundleManifest:
    wanted, got = _bytes(root, MANIFEST_HASH, 4096), hashlib.sha256(data).hexdigest()
    if wanted != got.encode() + b"\n":
        raise refused(
            root,
            f"was changed: {MANIFEST} does not match {MANIFEST_HASH}",
            f"đã bị thay đổi: {MANIFEST} không khớp với {MANIFEST_HASH}",
            expected=f"SHA-256 {shown(wanted[:64].decode('ascii', errors='replace'))}",
            got=got,
        )
    try:
        manifest = strict_json.parse(data)
    except UnfitError as exc:
        problem = f"{root / MANIFEST} is not a valid BundleManifest: it {exc.problem}"
        vi = f"gói mô hình {root}: tệp {MANIFEST} hỏng hoặc không hợp lệ"
        raise BundleError(problem, expected=exc.expected, got=exc.got, fix=FIX, vietnamese=vi) from exc
    # Before anything else: a newer schema has keys unknown here.
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise refused(
            root,
            "was made by a newer vnvision",
            "do phiên bản vnvision mới hơn tạo ra; hãy cập nhật: pip install --upgrade vnvision",
            expected=f"schema_version up to {SCHEMA_VERSION}",
            got=str(version),
            fix="update with: pip install --upgrade vnvision",
        )
    return BundleManifest.from_json(data, str(root / MANIFEST), BundleError)


def _bytes(root: Path, name: str, most: int) -> bytes:
    try:
        return plain.read(root / name, most)
    except FileNotFoundError as exc:
        raise refused(root, f"lacks {name}", f"thiếu tệp {name}") from exc
    except UnfitError as exc:
        raise unfit(root, name, exc) from exc
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot read {name}", got=exc.strerror or str(exc)) from exc
