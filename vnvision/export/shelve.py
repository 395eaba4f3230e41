"""The user's models: a verified bundle copied to where ``load_bundle("NAME")`` finds it, or taken away."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from vnvision import atomic
from vnvision.errors import BundleError, ConfigError, DataError
from vnvision.hub import catalogue, shelf
from vnvision.runtime.bundle import Bundle, open_bundle
from vnvision.runtime.guard.names import OWN
from vnvision.runtime.publish import staged

SPARE_BYTES = 64 << 20
"""Left free on the disk, so that a model never takes its last byte."""


def add_model(
    bundle: str | Path,
    name: str | None = None,
    *,
    replace: bool = False,
    trusted: str | Path | None = None,
) -> Path:
    """Copy a bundle into the user's models.

    The bundle is verified before it is copied, and its copy once more; what was there stays until the copy is
    whole and on disk.

    Args:
        bundle: the bundle's folder.
        name: what it is to be called; its own name unless given.
        replace: take the place of a model of the user's of that name.
        trusted: public keys of which one must have signed it, see ``open_bundle``.

    Returns:
        The folder of the copy.

    Raises:
        BundleError: the folder is no bundle, or any file is not as listed.
        ConfigError: no model can have this name, or it is taken.
        DataError: too little space, or the folder cannot be written.
        ExportError: what is there is no bundle, so it is not replaced.
    """
    opened = open_bundle(bundle, trusted=trusted)
    name = shelf.checked_name(name) if name is not None else _own_name(opened)
    target = shelf.user_folder() / name
    _check_free_name(name, target, replace)
    if opened.root.resolve() == target.resolve():
        raise ConfigError(f"{name} is this very bundle already", fix="name a bundle that lies elsewhere")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _check_space(opened, target.parent)
        with staged(target, overwrite=replace) as folder:
            own = (file for file in sorted(OWN) if (opened.root / file).is_file())
            for file in (*opened.manifest.files, *own):
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(opened.root / file, folder / file)
            if open_bundle(folder, trusted=trusted).digest != opened.digest:
                raise BundleError(f"bundle {opened.root} was changed while it was copied", fix="add it again")
    except OSError as exc:
        raise DataError(
            f"cannot write {target}",
            got=exc.strerror or str(exc),
            fix=f"choose another folder with {shelf.VARIABLE}",
            vietnamese=f"không ghi được vào {target}; hãy chọn thư mục khác bằng {shelf.VARIABLE}",
        ) from exc
    return target


def remove_model(name: str) -> Path:
    """Delete a model of the user's.

    Its folder gets a name that no model has before anything in it is deleted, so that half of a model is
    never taken for one. Of a link only the link goes.

    Returns:
        The folder that is gone.

    Raises:
        ConfigError: the model ships with vnvision, or no model can have this name.
        BundleError: there is no such model.
        DataError: the folder cannot be deleted.
    """
    shelf.checked_name(name)
    folder = shelf.user_folder() / name
    if not shelf.is_bundle(folder):
        if shelf.is_shipped(name):
            raise ConfigError(
                f"{name} ships with vnvision and is not removed",
                expected="a model of your own",
                vietnamese=f"{name} là mô hình đi kèm vnvision nên không xóa được",
            )
        raise shelf.unknown(name)
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            doomed = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{name}.", suffix=".gone"))
            folder.rename(doomed / name)
            atomic.sync_folder(folder.parent)
            shutil.rmtree(doomed)
    except OSError as exc:
        raise DataError(f"cannot remove {folder}", got=exc.strerror or str(exc)) from exc
    return folder


def _own_name(opened: Bundle) -> str:
    own = opened.manifest.name
    if not shelf.is_name(own) or own == shelf.AUTO:
        raise ConfigError(
            f"the bundle calls itself {own!r}, which no model here can be called",
            fix="choose a name with --name",
            vietnamese=f"không thể dùng tên {own!r} của gói mô hình; hãy đặt tên bằng --name",
        )
    return own


def _check_free_name(name: str, target: Path, replace: bool) -> None:
    if shelf.is_shipped(name):
        raise ConfigError(
            f"{name} ships with vnvision and is never replaced",
            fix="choose another name with --name",
            vietnamese=f"{name} là mô hình đi kèm vnvision nên không thay được; hãy đặt tên khác bằng --name",
        )
    if name in catalogue.own_names():
        raise ConfigError(
            f"{name} is the name of a function or model of vnvision's own",
            expected="a name that models list does not use",
            fix="choose another name with --name",
            vietnamese=f"{name} là tên chức năng hoặc mô hình của vnvision; hãy đặt tên khác bằng --name",
        )
    if os.path.lexists(target) and not replace:
        raise ConfigError(
            f"there is a model called {name} already",
            got=str(target),
            fix="choose another name with --name, or replace it with --replace",
            vietnamese=f"đã có mô hình tên {name}; hãy đặt tên khác bằng --name, hoặc thay nó bằng --replace",
        )


def _check_space(opened: Bundle, folder: Path) -> None:
    wanted = sum(opened.stamps[file].size for file in opened.manifest.files) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < wanted:
        raise DataError(
            f"too little space in {folder}",
            expected=f"{wanted / 1e6:.0f} MB",
            got=f"{free / 1e6:.0f} MB free",
            fix=f"make room, or choose another folder with {shelf.VARIABLE}",
            vietnamese=f"{folder} không đủ chỗ: cần {wanted / 1e6:.0f} MB, còn {free / 1e6:.0f} MB",
        )
