"""Files on their way in: into a folder of their own, no larger than allowed, and noted as one browser's."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import shutil
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from vnvision_demo.door.inward import asked, patient
from vnvision_demo.door.uploads import Uploads
from vnvision_demo.errors import Refusal

_KEEP_PROGRESS_S = 60.0


async def receive_files(request: Request, owner: str, uploads: Uploads, most_bytes: int) -> Response:
    """Store the files of a form and give Gradio's page their paths.

    Args:
        request: a multipart form with ``files``.
        owner: id of the browser's session.
        uploads: where to.
        most_bytes: of one file.

    Raises:
        Refusal: too large, too slow, of unknown length, no room, or no form.
    """
    told = request.headers.get("content-length", "")
    if not told.isdecimal():
        raise Refusal("upload.no_form", 411)
    size = int(told[:19])
    with uploads.room(owner, size):
        folder = uploads.folder()
        try:
            paths = await _stored(request, owner, folder, most_bytes, size)
            uploads.add(owner, paths)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    return JSONResponse([str(path) for path in paths])


async def _stored(request: Request, owner: str, folder: Path, most_bytes: int, size: int) -> list[Path]:
    from gradio.route_utils import upload_fn
    from gradio.routes import file_upload_statuses

    told = asked(request, "upload_id")
    identity = progress_id(owner, told[0][1]) if told else None
    slow = Request(request.scope, patient(request.receive, size))
    try:
        found, _, _ = await upload_fn(
            slow, str(folder), most_bytes, identity, True, file_upload_statuses if identity else None
        )
    except (MultiPartException, HTTPException) as exc:
        if "exceeded maximum allowed size of" in str(getattr(exc, "message", "")) and size > most_bytes:
            raise Refusal("upload.too_large", 413, limit_mb=most_bytes >> 20) from exc
        raise Refusal("upload.no_form", 400) from exc
    except (Refusal, ClientDisconnect):
        raise
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Refusal("upload.server_full", 507) from exc
        raise
    except Exception as exc:  # Gradio's parser meets a form that it does not foresee
        raise Refusal("upload.no_form", 400) from exc
    finally:
        if identity:
            asyncio.get_running_loop().call_later(_KEEP_PROGRESS_S, forget_progress, identity)
    paths = list(dict.fromkeys(map(Path, found)))
    if not paths:
        raise Refusal("upload.no_form", 400)
    for other in set(folder.rglob("*")) - set(paths):
        if not other.is_dir():  # a file of another field
            other.unlink()
    return paths


def progress_id(owner: str, told: str) -> str:
    """Under what name Gradio keeps the progress of an upload: no other browser can ask for it."""
    return hashlib.sha256(f"{owner} {told}".encode()).hexdigest()


def forget_progress(identity: str) -> None:
    """Let go of an upload's progress: Gradio keeps it until it is asked for."""
    from gradio.routes import file_upload_statuses

    file_upload_statuses.stop_tracking(identity)
    file_upload_statuses._signals.pop(identity, None)
