"""From the options of ``vnvision demo`` to a served page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from vnvision.errors import ConfigError
from vnvision_demo.addresses import lan_addresses
from vnvision_demo.serve import serve
from vnvision_demo.settings import MB, Settings


def start(
    *,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: Sequence[str] = (),
    auth_file: Path | None = None,
    https: bool = False,
    certificate: Path | None = None,
    private_key: Path | None = None,
    names: Sequence[str] = (),
    max_mb: int = 50,
    workers: int = 2,
    gallery: Path | None = None,
) -> None:
    """Serve the demo until stopped; see ``vnvision demo --help``.

    Raises:
        ConfigError: an option is wrong, or the port is taken.
        MissingExtraError: a package of the extra ``demo`` is not installed.
    """
    settings = Settings(
        host=host,
        port=port,
        names=tuple(names),
        secure=https,
        users=_users([*auth, *_lines(auth_file)]),
        file_bytes=max_mb * MB,
        workers=workers,
        gallery=gallery,
    )
    pair = None
    if https:
        from vnvision_demo.certificate import pair_for

        pair = pair_for(settings, certificate, private_key)
    elif certificate or private_key:
        raise ConfigError("a certificate is for HTTPS", fix="add --https")
    serve(settings, certificate=pair, ready=lambda address: _tell(address, settings, pair))


def _users(pairs: Sequence[str]) -> dict[str, str]:
    users = {}
    for pair in pairs:
        name, colon, password = pair.partition(":")
        if not (name and colon and password):
            raise ConfigError(
                "a user's name or password is missing",
                expected="NAME:PASSWORD",
                vietnamese="thiếu tên hoặc mật khẩu: hãy ghi TÊN:MẬT_KHẨU",
            )
        users[name] = password
    return users


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(
            f"cannot read {file}",
            expected="a text file with NAME:PASSWORD a line",
            got=getattr(exc, "strerror", None) or str(exc),
            vietnamese=f"không đọc được {file}; mỗi dòng của tệp là TÊN:MẬT_KHẨU",
        ) from exc


def _tell(address: str, settings: Settings, pair: tuple[Path, Path] | None = None) -> None:
    print(f"vnvision demo: {address}   (English: {address}/en)", flush=True)
    if not settings.is_local:
        port = address.rpartition(":")[2]
        for one in lan_addresses():
            host = f"[{one}]" if ":" in one else one
            print(f"  {address.partition(':')[0]}://{host}:{port}", flush=True)
    if pair is not None:
        print(_how_to_accept(pair[0]), flush=True)
    print("stop it with Ctrl-C · dừng bằng Ctrl-C", flush=True)
    if not settings.is_local and not settings.users:
        print(
            "anybody on the network can open it; enrolling faces is off until you add --auth NAME:PASSWORD",
            file=sys.stderr,
            flush=True,
        )


def _how_to_accept(certificate: Path) -> str:
    """What to do where a browser does not know the certificate."""
    from vnvision_demo.certificate import fingerprint

    return (
        f"certificate · chứng thư: {certificate}\n"
        f"  SHA-256 {fingerprint(certificate)}\n"
        "  The first time, a phone warns of it. Android: Advanced, Proceed. iPhone: Show Details, visit this "
        "website. Go on only if the certificate that the browser shows has this fingerprint.\n"
        "  Lần đầu điện thoại sẽ cảnh báo. Android: Nâng cao, Tiếp tục truy cập. iPhone: Hiển thị chi tiết, "
        "truy cập trang web này. Chỉ tiếp tục khi chứng thư trình duyệt hiện ra có đúng dãy SHA-256 này."
    )
