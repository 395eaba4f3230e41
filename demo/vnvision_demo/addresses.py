"""Under which names and addresses other machines of the local network reach this one."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import sys

_SIOCGIFADDR = 0x8915


def host_names() -> list[str]:
    """This machine's name, without its domain, and as phones find it by multicast DNS."""
    own = socket.gethostname().lower()
    short = own.split(".")[0]
    return list(dict.fromkeys(name for name in (own, short, f"{short}.local") if _is_name(name)))


def lan_addresses() -> list[str]:
    """This machine's addresses but the loopback's; asks the system only, and sends nothing."""
    found = [*_of_interfaces(), *_of_name(), *_of_route()]
    kept = [ipaddress.ip_address(one) for one in dict.fromkeys(found)]
    return [str(one) for one in kept if not (one.is_loopback or one.is_link_local or one.is_unspecified)]


def _is_name(name: str) -> bool:
    return bool(name) and all(
        0 < len(part) < 64 and part.isascii() and part.replace("-", "").isalnum() for part in name.split(".")
    )


def _of_interfaces() -> list[str]:
    if sys.platform != "linux":
        return []
    import fcntl

    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):  # an interface without an IPv4 address
                told = fcntl.ioctl(asking.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(told[20:24]))
    return found


def _of_name() -> list[str]:
    with contextlib.suppress(OSError):
        return [str(one[4][0]).split("%")[0] for one in socket.getaddrinfo(socket.gethostname(), None)]
    return []


def _of_route() -> list[str]:
    """The address of the way out. A datagram socket that is connected and not written to sends nothing."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect(("192.0.2.1", 9))
        return [str(asking.getsockname()[0])]
    return []
