from __future__ import annotations

import pytest

from vnvision.errors import ExportError
from vnvision.runtime.publish import staged


def write(out, text="new", **options):
    with staged(out, overwrite=options.get("overwrite", False)) as folder:
        (folder / "sub").mkdir()
        (folder / "manifest.json").write_text(text)


def test_appears_only_when_whole(tmp_path):
    out = tmp_path / "deep" / "bundle"
    with staged(out, overwrite=False) as folder:
        (folder / "manifest.json").write_text("x")
        assert folder.parent == out.parent
        assert not out.exists()
    assert (out / "manifest.json").read_text() == "x"
    assert [item.name for item in out.parent.iterdir()] == ["bundle"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_failure_leaves_nothing(tmp_path):
    def interrupted():
        with staged(tmp_path / "bundle", overwrite=False) as folder:
            (folder / "half").write_text("x")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_may_be_there(tmp_path):
    (tmp_path / "bundle").mkdir()
    write(tmp_path / "bundle")
    assert (tmp_path / "bundle" / "manifest.json").is_file()


def test_taken_place_is_refused(tmp_path):
    write(tmp_path / "bundle", "old")
    with pytest.raises(ExportError, match=r"is not empty; choose another folder, or overwrite it"):
        write(tmp_path / "bundle")
    (tmp_path / "file").write_text("x")
    with pytest.raises(ExportError, match="is not a folder"):
        write(tmp_path / "file", overwrite=True)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "me.jpg").write_text("x")
    with pytest.raises(
        ExportError, match=r"is not a bundle, so it is not overwritten: expected .*manifest\.json"
    ):
        write(tmp_path / "photos", overwrite=True)
    assert (tmp_path / "photos" / "me.jpg").is_file()
    assert (tmp_path / "bundle" / "manifest.json").read_text() == "old"


def test_overwriting_keeps_the_old_until_the_new_is_whole(tmp_path):
    out = tmp_path / "bundle"
    write(out, "old")
    with staged(out, overwrite=True) as folder:
        (folder / "manifest.json").write_text("new")
        assert (out / "manifest.json").read_text() == "old"
    assert (out / "manifest.json").read_text() == "new"
    with pytest.raises(RuntimeError), staged(out, overwrite=True):
        raise RuntimeError
    assert (out / "manifest.json").read_text() == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]


def test_failed_rename_puts_the_old_back(tmp_path, monkeypatch):
    from pathlib import Path

    out = tmp_path / "bundle"
    write(out, "old")
    real = Path.rename

    def rename(self, target):
        if self.suffix == ".tmp":
            raise OSError("disk says no")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="disk says no"):
        write(out, overwrite=True)
    assert (out / "manifest.json").read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["bundle"]
