"""``manifest.sig``: one Ed25519 signature (RFC 8032) over the bytes of ``manifest.json``."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Literal

from vnvision.errors import BundleError
from vnvision.records import Sha256
from vnvision.runtime.guard import plain, strict_json
from vnvision.runtime.guard.keys import TrustedKeys
from vnvision.runtime.guard.names import MANIFEST, SIGNATURE
from vnvision.runtime.guard.refusal import UnfitError, refused
from vnvision.spec import Record

MOST_BYTES = 4096
_FIX = "get the bundle from its maker again"
_FIX_VI = "hãy xin lại gói từ nơi phát hành"


class Signature(Record):
    """The signature file.

    Only ``signature`` proves anything. ``key`` says which key to try, and a lie there finds no trusted key or
    one that the signature does not fit.
    """

    schema_version: Literal[1] = 1
    algorithm: Literal["ed25519"] = "ed25519"
    key: Sha256
    signature: str

    def raw(self) -> bytes:
        """The signature's 64 bytes. Raises UnfitError."""
        try:
            found = base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError) as exc:
            raise UnfitError("holds a signature that is not base64") from exc
        if len(found) != 64 or base64.b64encode(found).decode() != self.signature:
            raise UnfitError("holds a signature of the wrong form", expected="64 bytes in base64")
        return found


def check_signature(root: Path, manifest: bytes, trusted: TrustedKeys) -> str:
    """The fingerprint of the trusted key that signed ``manifest``.

    Args:
        root: the bundle.
        manifest: the bytes of its ``manifest.json``, as they will be used.
        trusted: whose signatures count.

    Raises:
        BundleError: unsigned; signed by a key that is not trusted; or the signature is another manifest's.
    """
    from cryptography.exceptions import InvalidSignature

    found = _read(root)
    key = trusted.keys.get(found.key)
    if key is None:
        raise refused(
            root,
            f"is signed by a key that is not trusted: {SIGNATURE} names key {found.key[:16]}",
            f"được ký bằng khóa {found.key[:16]} không nằm trong danh sách tin cậy ({SIGNATURE}); {_FIX_VI}",
            expected=f"one of {len(trusted.keys)} in {trusted.place}",
            fix="add the maker's public key there if you trust it",
        )
    try:
        key.verify(found.raw(), manifest)
    except InvalidSignature as exc:
        raise refused(
            root,
            f"was changed: the signature in {SIGNATURE} is not that of {MANIFEST}",
            f"đã bị thay đổi: chữ ký trong {SIGNATURE} không khớp với {MANIFEST}; {_FIX_VI}",
            fix=_FIX,
        ) from exc
    except UnfitError as exc:
        raise _malformed(root, exc) from exc
    return found.key


def _read(root: Path) -> Signature:
    try:
        data = plain.read(root / SIGNATURE, MOST_BYTES)
        strict_json.parse(data)
        return Signature.from_json(data, str(root / SIGNATURE), BundleError)
    except FileNotFoundError as exc:
        raise refused(
            root,
            f"is not signed, and only signed ones are accepted here: it has no {SIGNATURE}",
            f"chưa được ký (thiếu {SIGNATURE}), mà nơi này chỉ nhận gói có chữ ký; {_FIX_VI}",
            fix="get a signed one from its maker",
        ) from exc
    except OSError as exc:
        raise BundleError(f"bundle {root}: cannot read {SIGNATURE}", got=exc.strerror or str(exc)) from exc
    except UnfitError as exc:
        raise _malformed(root, exc) from exc
    except BundleError as exc:
        raise refused(
            root, f": {exc.problem}", f"có tệp chữ ký {SIGNATURE} hỏng; {_FIX_VI}", fix=_FIX
        ) from exc


def _malformed(root: Path, exc: UnfitError) -> BundleError:
    return refused(
        root,
        f": {SIGNATURE} {exc.problem}",
        f"có tệp chữ ký {SIGNATURE} hỏng; {_FIX_VI}",
        expected=exc.expected,
        got=exc.got,
        fix=_FIX,
    )
