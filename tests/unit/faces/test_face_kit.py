"""The face kit: what is in it, and that it answers as vnvision does without vnvision."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import toys
from drawing import face
from typer.testing import CliRunner

from vnvision.errors import BundleError, ConfigError, DataError, ExportError, MissingExtraError
from vnvision.export.face_kit import ENGINES, networks, write_face_kit
from vnvision.faces.engine import FaceEngine
from vnvision.imaging.align import align, template

TEMPLATES = Path(networks.__file__).parent / "templates"
POINTS = Path(networks.__file__).parents[2] / "faces" / "operating_points.json"
FOREIGN = ("torch", "vnvision", "insightface", "pydantic", "PIL", "onnx", "scipy")


@pytest.fixture(scope="module", autouse=True)
def nothing_calibrated(tmp_path_factory):
    """Thresholds are those that ship."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VNVISION_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def kit(weights, tmp_path_factory):
    return write_face_kit(tmp_path_factory.mktemp("k") / "bộ kit")


@pytest.fixture(scope="module")
def ours(weights):
    engine = FaceEngine(engine="onnxruntime", threads=1)
    yield engine
    engine.close()


def run(*words):
    """A process that sees neither PYTHONPATH nor its own folder; what it needs lies beside its script."""
    command = [sys.executable, "-I", "-B", *map(str, words)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, check=False)


def answers(kit, pictures, tmp_path):
    """What the kit's chain says to each picture: rows of box, landmarks, score and embedding."""
    np.savez(tmp_path / "in.npz", *pictures)
    code = (
        f"import sys; sys.path.insert(0, {str(kit)!r})\n"
        "import numpy as np\n"
        "from face_chain import Chain\n"
        f"chain, file = Chain(), np.load({str(tmp_path / 'in.npz')!r})\n"
        "found = [[np.r_[f.box, f.landmarks.ravel(), f.score, f.embedding] for f in chain.faces(file[n])]\n"
        "         for n in file.files]\n"
        f"np.savez({str(tmp_path / 'out.npz')!r}, *[np.array(rows) for rows in found])\n"
        f"foreign = set({FOREIGN}) & set(sys.modules)\n"
        "assert not foreign, foreign\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "out.npz") as file:
        return [file[name] for name in file.files]


MANY = """
import contextlib, importlib, io, json, pathlib, sys
folder, name, calls = json.loads(sys.stdin.read())
sys.path.insert(0, folder)
script, said = importlib.import_module(name), []
for here, words in calls:
    script.HERE, sys.argv, out, err = pathlib.Path(here), [name, *words], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = script.main()
    said.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(said))
"""


def called(kit, script, *calls):
    """Exit code, output and errors of a kit's script for each (folder, words), in one process."""
    rows = [[str(here), [str(word) for word in words]] for here, words in calls]
    done = subprocess.run(
        [sys.executable, "-I", "-B", "-c", MANY],
        input=json.dumps([str(kit), script, rows]),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def twin(kit, folder, **files):
    """A folder with the kit's files, of which some have other bytes; None: are missing."""
    for item in kit.rglob("*"):
        if item.is_file():
            copy = folder / item.relative_to(kit)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(item)
    for name, data in files.items():
        (folder / name).unlink()
        if data is not None:
            (folder / name).write_bytes(data)
    return folder


def spoilt(kit, folder, part, changes):
    """A twin whose manifest says otherwise."""
    about = json.loads((kit / "manifest.json").read_text("utf-8"))
    about[part] |= changes
    return twin(kit, folder, **{"manifest.json": json.dumps(about).encode()})


def save(path, image):
    cv2.imwrite(str(path), image[..., ::-1])
    return path


def test_what_a_kit_holds(kit):
    names = {path.relative_to(kit).as_posix() for path in kit.rglob("*") if path.is_file()}
    listed = {
        "detector/model.onnx", "embedder/model.onnx", "face_chain.py", "self_test.py", "example.py",
        "golden.npz", "licences/APACHE-2.0.txt", "licences/YUNET-MIT.txt", "licences/README.md",
    }  # fmt: skip
    assert names == listed | {"manifest.json", "README.md"}
    about = json.loads((kit / "manifest.json").read_text("utf-8"))
    assert set(about["files"]) == listed
    for name, wanted in about["files"].items():
        assert hashlib.sha256((kit / name).read_bytes()).hexdigest() == wanted
    readme = (kit / "README.md").read_text("utf-8")
    assert "$" not in readme
    assert "không tự chuẩn hóa" in readme.lower()
    assert "| detector: OpenCV Zoo, YuNet (Wu, Peng and Yu 2023) | MIT |" in (
        kit / "licences" / "README.md"
    ).read_text("utf-8")


def test_the_constants_are_those_of_the_papers_and_of_the_published_models(kit):
    about = json.loads((kit / "manifest.json").read_text("utf-8"))
    template = about["embedder"]["template_px"]
    assert template[0] == [38.2946, 51.6963]
    assert template[4] == [70.7299, 92.2041]
    assert about["detector"]["strides"] == [8, 16, 32]
    assert (about["embedder"]["size_px"], about["embedder"]["length"]) == ([112, 112], 128)


def test_thresholds_are_the_strictest_of_those_that_were_measured(kit):
    about = json.loads((kit / "manifest.json").read_text("utf-8"))["thresholds"]
    (points,) = json.loads(POINTS.read_text("utf-8"))["models"].values()
    for rate in ("fmr=1e-2", "fmr=1e-3", "fmr=1e-4"):
        measured = {p["population"]: p["threshold"] for p in points if p["target"] == rate}
        assert about["values"][rate] == max(measured.values())
        for name, value in measured.items():
            assert about["values"][f"{rate}@{name}"] == value
    assert "fmr=1e-5" not in about["values"]  # measured for LFW alone: not kept for others
    assert about["chosen"]["value"] == about["values"]["fmr=1e-4"]
    assert about["chosen"]["population"] == "korean"
    assert len(about["points"]) == len(points)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_chain_imports_numpy_opencv_and_its_engine_only(engine):
    allowed = set(sys.stdlib_module_names) | {
        "numpy",
        "cv2",
        "face_chain",
        {"mnn": "MNN"}.get(engine, engine),
    }
    for path in (*TEMPLATES.glob("*.py"), TEMPLATES / "networks" / f"{engine}.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), feature_version=(3, 10))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= allowed, path


def test_it_passes_its_own_test_without_us(kit):
    done = run(kit / "self_test.py", "--repeat", "2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "PASS"
    assert "milliseconds, median of 2, 320 x 256 pixels: detect" in done.stdout
    figures = json.loads(run(kit / "self_test.py", "--json").stdout)["figures"]
    assert len(figures) == 15
    assert all(figure["passed"] for figure in figures)


def test_it_finds_and_embeds_as_vnvision_does(kit, ours, tmp_path):
    near = cv2.resize(face(420, seed=5), (900, 900))[250:700, 280:620]
    two = np.concatenate([face(200, tilt_deg=20, seed=1), face(200, tone=(120, 80, 60), seed=2)], axis=1)
    wall = np.full((90, 400, 3), 90, np.uint8)
    pictures = [face(300, seed=3), two, near, cv2.resize(face(500, seed=4), (1300, 1111)), wall, face(40)]
    found = answers(kit, pictures, tmp_path)
    right = ours.represent(pictures)
    assert [len(rows) for rows in found] == [len(faces) for faces in right]
    assert sum(map(len, found)) >= 4
    for rows, faces in zip(found, right, strict=True):
        for row, one in zip(rows, faces, strict=True):
            assert np.abs(row[:4] - one.box_xyxy_px).max() < 0.01
            assert np.abs(row[4:14].reshape(5, 2) - one.landmarks_px).max() < 0.01
            assert abs(row[14] - one.score) < 1e-5
            assert row[15:] @ np.array(one.embedding) > 0.99999


FAULTS = (
    ("embedder", {"mean": [0.5] * 3, "std": [0.5] * 3}, "embedder relative difference"),
    ("embedder", {"colour": "bgr"}, "embedder relative difference"),
    ("embedder", {"input_range": [0, 1]}, "embedder relative difference"),
    ("embedder", {"flip_average": False}, "embeddings, least cosine"),
    ("embedder", {"template_px": [[30, 50], [80, 50], [56, 72], [40, 92], [72, 92]]}, "aligned crops"),
    ("detector", {"max_side_px": 320}, "boxes, pixels apart"),
    ("detector", {"second_look_border": 0.1}, "boxes, pixels apart"),
    ("detector", {"border_level": 0}, "picture 2, number of faces"),
    ("detector", {"min_score": 0.905}, "picture 1, number of faces"),
)


def test_a_fault_fails_the_self_test(kit, tmp_path):
    folders = [spoilt(kit, tmp_path / str(i), part, fault) for i, (part, fault, _) in enumerate(FAULTS)]
    folders.append(spoilt(kit, tmp_path / "last", "detector", {"strides": [8, 16, 64]}))
    *found, last = called(kit, "self_test", *((folder, ()) for folder in folders))
    for (code, out, _), (_, fault, figure) in zip(found, FAULTS, strict=True):
        lines = out.splitlines()
        assert (code, lines[-1]) == (1, "FAIL"), fault
        assert any(line.startswith(figure) and line.endswith("FAIL") for line in lines), (fault, out)
    assert last[:2] == [2, ""]  # the maps are not those of these strides
    assert last[2].startswith("cannot run: IndexError: ")


def test_what_cannot_run_ends_with_2_and_one_line(kit, tmp_path):
    net = "embedder/model.onnx"
    cases = (
        ({net: (kit / net).read_bytes()[:-1]}, "is not the file that was proven; copy the kit again"),
        ({net: None}, "model.onnx: No such file or directory"),
        ({"golden.npz": b"no"}, "golden.npz: "),
        ({"golden.npz": None}, "golden.npz: "),
        ({"manifest.json": b'{"kit": "other"}'}, "is not that of a face kit of version 1"),
        ({"manifest.json": b"{"}, "cannot read"),
    )
    twins = [twin(kit, tmp_path / str(number), **files) for number, (files, _) in enumerate(cases)]
    for (code, out, err), (_, message) in zip(
        called(kit, "self_test", *((folder, ()) for folder in twins)), cases, strict=True
    ):
        assert (code, out) == (2, "")
        assert err.startswith("cannot run: ")
        assert message in err
        assert len(err.strip().splitlines()) == 1
    assert run(kit / "self_test.py", "--threads", "many").returncode == 2


def test_crops_do_not_depend_on_the_version_of_opencv(kit, ours, tmp_path):
    """OpenCV 4 rounds places in warps; the chain then cuts out by itself, as OpenCV 5 does."""
    rng = np.random.default_rng(0)
    pictures = [cv2.resize(rng.integers(0, 256, (40, 30, 3), np.uint8), (200, 170)) for _ in range(6)]
    points = [template() * rng.uniform(0.5, 2) + rng.uniform(-60, 90, 2) for _ in pictures]
    points = [p + rng.normal(0, 3, p.shape) for p in points]
    np.savez(tmp_path / "in.npz", pictures=pictures, points=points)
    code = (
        f"import sys; sys.path.insert(0, {str(kit)!r})\n"
        "import cv2, numpy as np\n"
        "cv2.__version__ = '4.6.0'\n"
        "import face_chain\n"
        "assert face_chain.COARSE\n"
        f"chain, file = face_chain.Chain(), np.load({str(tmp_path / 'in.npz')!r})\n"
        "crops = [chain.align(p, m) for p, m in zip(file['pictures'], file['points'])]\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, crops)\n"
    )
    done = run("-c", code)
    assert done.returncode == 0, done.stderr
    right = np.stack([align(p, m) for p, m in zip(pictures, points, strict=True)])
    gaps = np.abs(np.load(tmp_path / "out.npy").astype(int) - right)
    assert (right[:, 0] == 0).any()  # some reach over the edge
    if int(cv2.__version__.split(".")[0]) >= 5:
        assert gaps.max() <= 1
        assert (gaps > 0).mean() < 1e-3
    assert gaps.mean() < 0.5


def test_a_missing_engine_is_named(kit):
    code = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        f"sys.path.insert(0, {str(kit)!r}); sys.argv = ['self_test.py']\n"
        "import self_test; sys.exit(self_test.main())"
    )
    done = run("-c", code)
    assert done.returncode == 2
    assert "pip install 'onnxruntime==" in done.stderr


def test_the_example_says_same_or_not(kit, ours, tmp_path):
    one, two = save(tmp_path / "ảnh 1.png", face(256, seed=1)), save(tmp_path / "2.png", face(256, seed=2))
    other = save(tmp_path / "3.png", face(256, tone=(90, 60, 45), tilt_deg=25))
    crowd = save(tmp_path / "4.png", np.concatenate([face(200, seed=2), face(200, seed=3)], axis=1))
    done = run(kit / "example.py", one, two)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the same person | cùng một người: cosine ")
    assert "threshold 0.4962 (fmr=1e-4, the strictest of 4 populations: korean)" in done.stdout
    as_json, stated, named, several = called(
        kit,
        "example",
        (kit, (one, other, "--json")),
        (kit, (one, two, "--threshold", "1.01")),
        (kit, (one, two, "--threshold", "fmr=1e-3@chinese")),
        (kit, (one, crowd)),
    )
    right, got = ours.verify(one, other), json.loads(as_json[1])
    assert got["similarity"] == pytest.approx(right.similarity, abs=1e-5)
    assert got["threshold"] == pytest.approx(right.threshold)
    assert (got["same"], got["faces"]) == (right.same, [1, 1])
    assert stated[1].startswith("not the same person | không cùng một người: ")
    assert "threshold 1.0100 (stated)" in stated[1]
    assert "threshold 0.3710 (fmr=1e-3@chinese)" in named[1]
    assert several[0] == 0
    assert several[1].startswith(f"note: 2 faces in {crowd}, the largest is compared | ")


def test_the_example_on_no_face_and_no_picture(kit, tmp_path):
    one = save(tmp_path / "1.png", face(256, seed=1))
    wall = save(tmp_path / "wall.png", np.full((200, 200, 3), 128, np.uint8))
    (tmp_path / "text.jpg").write_text("no picture")
    cases = (
        ((one, wall), f"no face found in {wall}: take another picture"),
        ((tmp_path / "text.jpg", one), f"cannot read {tmp_path / 'text.jpg'}"),
        ((one, tmp_path / "none.jpg"), "cannot read"),
        ((one, tmp_path), "cannot read"),
        (
            (one, one, "--threshold", "fmr=1e-9"),
            "no threshold 'fmr=1e-9'; known are fmr=1e-2, fmr=1e-3,",
        ),
    )
    for (code, out, err), (_, message) in zip(
        called(kit, "example", *((kit, words) for words, _ in cases)), cases, strict=True
    ):
        assert (code, out) == (2, "")
        assert err.startswith(message)
        assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("colour", "flip"), [("rgb", True), ("bgr", False)], ids=["rgb with flip", "bgr without"]
)
def test_a_bundle_as_embedder(weights, tmp_path, colour, flip):
    folder = toys.bundle(tmp_path / "b", colour=colour, flip_average=flip)
    before = sorted(folder.rglob("*"))
    picture = face(300, seed=3)
    grey = picture[..., :1]
    kit = write_face_kit(tmp_path / "kit", embedder=folder, threshold=0.3, pictures=[picture, grey])
    (row,) = answers(kit, [picture], tmp_path)[0]
    engine = FaceEngine(engine="onnxruntime", threads=1)
    (crop,) = engine.align([picture], engine.detect([picture]))[0]
    wanted = toys.embedding(crop[..., ::-1] if colour == "bgr" else crop, flip=flip)
    np.testing.assert_allclose(row[15:], wanted, atol=1e-4)
    about = json.loads((kit / "manifest.json").read_text("utf-8"))
    assert about["embedder"]["length"] == toys.DIM
    assert about["thresholds"]["chosen"] == {
        "value": 0.3, "target": None, "population": None, "populations": 1
    }  # fmt: skip
    assert sorted(folder.rglob("*")) == before  # nothing was put into the bundle
    with np.load(kit / "golden.npz") as golden:
        assert np.array_equal(golden["picture_5"], picture)
        assert np.array_equal(golden["picture_6"], np.repeat(grey, 3, axis=2))
    assert "and 2 given by whoever made this kit" in (kit / "licences" / "README.md").read_text("utf-8")


def test_a_bundle_without_a_measured_rate_needs_a_threshold(weights, tmp_path):
    with pytest.raises(ConfigError, match="this model has no threshold for fmr=1e-4"):
        write_face_kit(tmp_path / "kit", embedder=toys.bundle(tmp_path / "b"))
    with pytest.raises(BundleError, match="is no face embedder"):
        write_face_kit(tmp_path / "kit", embedder=toys.bundle(tmp_path / "c", geometry="squash"))
    assert not (tmp_path / "kit").exists()


def test_a_network_that_answers_otherwise_is_refused(weights, tmp_path, monkeypatch):
    import onnx

    write = networks._WRITERS["onnxruntime"]

    def off(path, folder):
        (made,) = write(path, folder)
        if folder.name == "embedder":
            model = onnx.load(str(made))
            last = model.graph.initializer[-1]
            values = onnx.numpy_helper.to_array(last) * np.float32(1.01)
            last.CopyFrom(onnx.numpy_helper.from_array(values, last.name))
            onnx.save(model, str(made))
        return (made,)

    monkeypatch.setattr(networks, "_WRITERS", {"onnxruntime": off})
    with pytest.raises(ExportError, match="disagrees with the original and is refused: embedder relative"):
        write_face_kit(tmp_path / "kit")
    assert list(tmp_path.iterdir()) == []


def test_a_kit_that_does_not_run_is_refused(weights, tmp_path, monkeypatch):
    def truncated(path, folder):
        folder.mkdir()
        (folder / "model.onnx").write_bytes(path.read_bytes()[:1000])
        return (folder / "model.onnx",)

    monkeypatch.setattr(networks, "_WRITERS", {"onnxruntime": truncated})
    with pytest.raises(ExportError, match="the face kit does not run and is refused: got"):
        write_face_kit(tmp_path / "kit")
    assert list(tmp_path.iterdir()) == []


def test_refusals(kit, tmp_path):
    with pytest.raises(ConfigError, match="no face kit for 'caffe': expected onnxruntime or openvino"):
        write_face_kit(tmp_path / "kit", engine="caffe")
    with pytest.raises(ConfigError, match="this model has no threshold for fmr=1e-7"):
        write_face_kit(tmp_path / "kit", threshold="fmr=1e-7")
    with pytest.raises(DataError, match=r"nobody\.jpg"):
        write_face_kit(tmp_path / "kit", pictures=[tmp_path / "nobody.jpg"])
    with pytest.raises(ExportError, match="is not empty; choose another folder"):
        write_face_kit(kit)
    other = tmp_path / "other"
    other.mkdir()
    (other / "manifest.json").write_text("{}")
    with pytest.raises(ExportError, match="is no face kit, so it is not overwritten"):
        write_face_kit(other, overwrite=True)
    assert [item.name for item in tmp_path.iterdir()] == ["other"]


def test_a_missing_converter_is_named_and_leaves_nothing(weights, tmp_path, monkeypatch):
    found = importlib.util.find_spec
    there = lambda name: None if name in ("MNN", "_tools") else found(name)  # noqa: E731
    monkeypatch.setattr("vnvision.export.mnn.importlib.util.find_spec", there)
    with pytest.raises(MissingExtraError, match=r"pip install 'vnvision\[export-mnn\]'"):
        write_face_kit(tmp_path / "kit", engine="mnn")
    assert list(tmp_path.iterdir()) == []


def test_the_verb(weights, tmp_path):
    from vnvision.cli.face_kit import app

    out = tmp_path / "kit"
    first = CliRunner().invoke(app, [str(out), "--threshold", "fmr=1e-3@lfw"])
    assert first.exit_code == 0, first.output
    assert f"face kit  {out}" in first.output
    assert "threshold 0.3638 (fmr=1e-3 for lfw)" in first.output
    failed = CliRunner().invoke(app, [str(out)])
    assert isinstance(failed.exception, ExportError)
    assert not list(tmp_path.glob(".kit*"))
