"""The certificate of ``--https``: the user's own, checked, or one made here for the names of this machine.

Phones give a page the camera over HTTPS only. A certificate made here is signed by nobody else: a browser
asks once whether to go on, and its fingerprint, which the demo prints, tells whether the answer may be yes.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from vnvision.atomic import sync_folder, write_bytes
from vnvision.errors import ConfigError, MissingExtraError
from vnvision.hub.home import data_folder
from vnvision_demo.addresses import host_names, lan_addresses
from vnvision_demo.settings import Settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.x509 import Certificate, GeneralName

_LIFE = timedelta(days=397)  # what browsers accept at most
_RENEW = timedelta(days=14)
_EARLY = timedelta(hours=1)  # a phone's clock may be slow


def pair_for(settings: Settings, certificate: Path | None, private_key: Path | None) -> tuple[Path, Path]:
    """Certificate and key to serve HTTPS with.

    Args:
        settings: for the names that a certificate made here is for.
        certificate, private_key: the user's own, PEM; None makes one, or takes the one made before.

    Raises:
        ConfigError: a file cannot be read, the two do not belong together, or the certificate has expired.
        MissingExtraError: the package ``cryptography`` is not installed.
    """
    try:
        import cryptography  # noqa: F401
    except ImportError as exc:
        raise MissingExtraError("cryptography", "demo") from exc
    if certificate is None and private_key is None:
        return _own(settings)
    if certificate is None or private_key is None:
        raise ConfigError(
            "a certificate and its key go together",
            expected="--certificate FILE --private-key FILE",
            got="only one of the two",
            fix="give both, or neither: then the demo makes a certificate",
            vietnamese="chứng thư và khoá phải đi cùng nhau: hãy ghi cả --certificate và --private-key, "
            "hoặc bỏ cả hai để chương trình tự tạo",
        )
    _check(certificate, private_key)
    return certificate, private_key


def fingerprint(certificate: Path) -> str:
    """SHA-256 of a certificate, as browsers show it: ``AB:CD:...``.

    Raises:
        ConfigError: it cannot be read.
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    digest = hashlib.sha256(_certificate(certificate).public_bytes(Encoding.DER)).digest()
    return digest.hex(":").upper()


def _check(certificate: Path, private_key: Path) -> None:
    """Refuse a pair of the user's that no browser could use."""
    found, key = _certificate(certificate), _key(private_key)
    if found.public_key() != key.public_key():
        raise ConfigError(
            f"{private_key} is not the key of {certificate}",
            expected="the private key that the certificate was made for",
            got="another one",
            vietnamese=f"khoá {private_key} không phải của chứng thư {certificate}",
        )
    now = datetime.now(UTC)
    if not found.not_valid_before_utc <= now < found.not_valid_after_utc:
        span = f"{found.not_valid_before_utc:%Y-%m-%d} to {found.not_valid_after_utc:%Y-%m-%d}"
        raise ConfigError(
            f"{certificate} is not valid today",
            expected=f"a certificate that is valid on {now:%Y-%m-%d}",
            got=span,
            fix="renew it, or leave out --certificate: then the demo makes one",
            vietnamese=f"chứng thư {certificate} đã hết hạn hoặc chưa có hiệu lực; "
            "hãy gia hạn, hoặc bỏ --certificate để chương trình tự tạo",
        )


def _certificate(file: Path) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(_read(file))
    except ValueError as exc:
        raise ConfigError(
            f"{file} is no certificate",
            expected="PEM: -----BEGIN CERTIFICATE-----",
            got=str(exc)[:120],
            vietnamese=f"{file} không phải chứng thư dạng PEM",
        ) from exc


def _key(file: Path) -> PrivateKeyTypes:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(_read(file), password=None)
    except TypeError as exc:
        raise ConfigError(
            f"{file} is locked with a password",
            expected="a private key without one",
            fix=f"openssl pkey -in {file} -out key.pem",
            vietnamese=f"khoá {file} có mật khẩu; hãy bỏ mật khẩu: openssl pkey -in {file} -out key.pem",
        ) from exc
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ConfigError(
            f"{file} is no private key",
            expected="PEM: -----BEGIN PRIVATE KEY-----",
            got=str(exc)[:120],
            vietnamese=f"{file} không phải khoá riêng dạng PEM",
        ) from exc


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as exc:
        raise ConfigError(
            f"cannot read {file}",
            expected="a PEM file",
            got=exc.strerror or str(exc),
            vietnamese=f"không đọc được tệp {file}",
        ) from exc


def _own(settings: Settings) -> tuple[Path, Path]:
    """The pair in the user's data folder. Its key stays; the certificate is made anew as names change."""
    folder = data_folder() / "demo"
    certificate, private_key = folder / "certificate.pem", folder / "key.pem"
    wanted = _names(settings)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        key = _own_key(private_key)
        if not _serves(certificate, key, wanted):
            write_bytes(certificate, _made(key, wanted))
    except OSError as exc:
        raise ConfigError(
            f"cannot keep the certificate in {folder}",
            expected="a folder that can be written",
            got=exc.strerror or str(exc),
            fix="point VNVISION_HOME at another folder",
            vietnamese=f"không ghi được chứng thư vào {folder}; hãy đặt VNVISION_HOME sang thư mục khác",
        ) from exc
    return certificate, private_key


def _names(settings: Settings) -> list[GeneralName]:
    """Everything the page may be asked for by."""
    from cryptography import x509

    bound = [] if settings.host in ("0.0.0.0", "::") else [settings.host]
    told = ["localhost", "127.0.0.1", "::1", *host_names(), *settings.names, *bound, *lan_addresses()]
    found: list[GeneralName] = []
    for name in dict.fromkeys(one.lower() for one in told):
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(_ascii(name)))
    return list(dict.fromkeys(found))


def _ascii(name: str) -> str:
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError as exc:
        raise ConfigError(
            f"{name!r} is no host name",
            expected="a name such as phongkham.local",
            vietnamese=f"{name!r} không phải tên máy, ví dụ đúng: phongkham.local",
        ) from exc


def _serves(certificate: Path, key: EllipticCurvePrivateKey, wanted: list[GeneralName]) -> bool:
    """Whether the certificate made before still does."""
    from cryptography import x509

    try:
        found = _certificate(certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ConfigError, x509.ExtensionNotFound):
        return False
    lasts = found.not_valid_before_utc <= datetime.now(UTC) < found.not_valid_after_utc - _RENEW
    return lasts and found.public_key() == key.public_key() and set(wanted) <= set(names)


def _own_key(file: Path) -> EllipticCurvePrivateKey:
    """The key made before, else a new one, readable by its user alone."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    if file.exists():
        with contextlib.suppress(ConfigError):
            known = _key(file)
            if isinstance(known, ec.EllipticCurvePrivateKey):
                file.chmod(0o600)
                return known
        file.unlink()
    text = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_once(file, text)
    made = _key(file)
    assert isinstance(made, ec.EllipticCurvePrivateKey)
    return made


def _write_once(file: Path, text: bytes) -> None:
    """Whole or absent, mode 0600; the file of a demo that started at the same moment stays."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        if not file.exists():
            part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(file.parent)


def _made(key: EllipticCurvePrivateKey, names: list[GeneralName]) -> bytes:
    """A certificate that is its own authority, for a server and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "vnvision demo")])
    start = datetime.now(UTC) - _EARLY
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + _LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)
