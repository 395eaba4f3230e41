"""Files on their way in: into a folder of their own, no larger than allowed, and noted as one browser's."""

from __future__ import annotations

import shutil
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from vnvision_demo.door.uploads import Uploads
from vnvision_demo.errors import Refusal


async def receive_files(request: Request, owner: str, uploads: Uploads, most_bytes: int) -> Response:
    """Store the files of a form and give Gradio's page their paths.

    Args:
        request: a multipart form with ``files``.
        owner: id of the browser's session.
        uploads: where to.
        most_bytes: of one file.

    Raises:
        Refusal: too large, no room, or no form.
    """
    from gradio.route_utils import upload_fn
    from gradio.routes import file_upload_statuses

    told = request.headers.get("content-length", "")
    size = int(told) if told.isdigit() else most_bytes
    uploads.room(owner, size)
    folder = uploads.folder()
    identity = request.query_params.get("upload_id")
    try:
        paths, _, _ = await upload_fn(
            request, str(folder), most_bytes, identity, True, file_upload_statuses if identity else None
        )
        uploads.add(owner, paths)
    except (MultiPartException, HTTPException) as exc:
        shutil.rmtree(folder, ignore_errors=True)
        if "maximum allowed size" in str(getattr(exc, "message", "")):
            raise Refusal("upload.too_large", 413, limit_mb=most_bytes >> 20) from exc
        raise Refusal("upload.no_form", 400) from exc
    except (ClientDisconnect, OSError):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return JSONResponse([str(Path(path)) for path in paths])
