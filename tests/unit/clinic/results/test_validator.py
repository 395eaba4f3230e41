"""Programs that others wrote find no error in what is written."""

import os
import subprocess

import numpy as np
import pydicom
import pytest
import result_scenes as scenes

from vnvision.errors import DataError, MissingExtraError

BORROWED = (
    "CT_small.dcm", "MR_small.dcm", "examples_rgb_color.dcm", "examples_palette.dcm",
    "examples_ybr_color.dcm", "examples_overlay.dcm", "SC_rgb_small_odd.dcm", "693_J2KI.dcm",
)  # fmt: skip


CASES = [(source, kind, "vi") for source in ("US", "CT") for kind in scenes.answers()]
CASES += [(source, "segmentation", "en") for source in ("US30", "DX", "CR", "CTE")]
CASES += [("US30", "detection", "en"), ("DX", "abstained", "en"), ("CTE", "multilabel", "vi")]


@scenes.needs_validator
@pytest.mark.parametrize(("source", "kind", "language"), CASES, ids="-".join)
def test_no_error_in_files_about_drawn_sources(source, kind, language, tmp_path):
    answer = scenes.answers()[kind]
    heat = np.linspace(0, 1, 60 * 80).reshape(60, 80) if kind in ("classification", "abstained") else None
    files = scenes.write(scenes.source(source), answer, tmp_path / "out", language=language, heatmap=heat)
    written = scenes.paths(files)
    assert set(written) == ({"sr", "sc", "seg"} if kind == "segmentation" else {"sr", "sc"})
    for path in written.values():
        assert not scenes.errors(path)


@scenes.needs_validator
@pytest.mark.parametrize("name", BORROWED)
def test_errors_in_files_about_pydicoms_images_are_those_of_the_source(name, tmp_path):
    ds = pydicom.dcmread(scenes.FILES / name, stop_before_pixels=True)
    files = scenes.write(ds, scenes.answers((ds.Rows, ds.Columns))["segmentation"], tmp_path)
    before = scenes.errors(scenes.FILES / name)
    for path in scenes.paths(files).values():
        assert not scenes.errors(path) - before


@scenes.needs_validator
def test_an_error_of_the_patient_module_travels_on_and_is_in_the_source_too(tmp_path):
    """693_J2KI says that it was de-identified and not how: the results repeat what the source says."""
    name = scenes.FILES / "693_J2KI.dcm"
    ds = pydicom.dcmread(name, stop_before_pixels=True)
    files = scenes.write(ds, scenes.class_answer(0.1, 0.8, 0.1), tmp_path)
    left = scenes.errors(files.sr)
    assert left
    assert all("Deidentification" in line and "Module=<Patient>" in line for line in left)
    assert not left - scenes.errors(name)


@scenes.needs_validator
@pytest.mark.slow
def test_every_test_file_of_pydicom_gives_valid_results_or_a_typed_error(tmp_path):
    outcomes = {"written": 0, "refused": 0}
    for index, name in enumerate(sorted(path for path in scenes.FILES.rglob("*") if path.is_file())):
        try:
            ds = pydicom.dcmread(name, stop_before_pixels=True, force=True)
            size = int(ds.Rows), int(ds.Columns)
        except (AttributeError, ValueError, EOFError, KeyError, OSError):
            size = (1, 1)
        answer = scenes.mask_answer(np.ones(size, np.uint8))
        try:
            files = scenes.write_results(
                name, answer, out=tmp_path / str(index), task=scenes.task(), model=scenes.MODEL
            )
        except (DataError, MissingExtraError):
            outcomes["refused"] += 1
            assert not (tmp_path / str(index)).exists()
            continue
        outcomes["written"] += 1
        before = scenes.errors(name)
        for path in scenes.paths(files).values():
            assert not scenes.errors(path) - before, f"{name.name}: {path.name}"
    assert outcomes["written"] >= 60


@scenes.needs_dcmtk
@pytest.mark.parametrize("kind", list(scenes.answers()))
def test_dcmtk_reads_every_file(kind, tmp_path):
    files = scenes.write(scenes.source("CT"), scenes.answers()[kind], tmp_path / "out")
    for what, path in scenes.paths(files).items():
        tool = ["dsrdump", "+U8", "+Pl"] if what == "sr" else ["dcmdump"]
        run = subprocess.run([*tool, str(path)], capture_output=True, timeout=60)
        assert run.returncode == 0, os.fsdecode(run.stderr)
        problems = [line for line in run.stderr.splitlines() if b"Specific Character Set" not in line]
        assert not [line for line in problems if line.strip()]
        if what == "sr":
            assert "Chỉ dùng cho nghiên cứu, không phải thiết bị y tế" in run.stdout.decode()
            assert "Nguyễn, Thị Ánh" in run.stdout.decode() or "Nguyễn^Thị Ánh" in run.stdout.decode()
