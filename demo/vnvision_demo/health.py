"""``python -m vnvision_demo.health``: exit code 0 if the demo on this machine answers, else 1."""

from __future__ import annotations

import ssl
import sys
import urllib.request


def healthy(port: int = 7860, timeout_s: float = 3.0) -> bool:
    """Whether a demo answers on this machine, over HTTP or HTTPS; its certificate is its own affair."""
    unchecked = ssl.create_default_context()
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    direct = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=unchecked)
    )
    for scheme in ("http", "https"):
        try:
            with direct.open(f"{scheme}://127.0.0.1:{port}/health", timeout=timeout_s) as answer:
                return bool(answer.read() == b"ok")
        except (OSError, ValueError):
            continue
    return False


if __name__ == "__main__":
    sys.exit(0 if healthy(int(sys.argv[1]) if len(sys.argv) > 1 else 7860) else 1)
