"""Imports go one way, and what a camera runs loads no torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vnvision

ROOT = Path(vnvision.__file__).parent
# Lower first; names on one line do not import each other.
LAYERS = [
    {"errors", "atomic", "spec", "records"},
    {"imaging"},
    {"engines"},
    {"metrics", "data", "models", "losses", "hub"},
    {"runtime"},
    {"faces"},
    {"evaluate"},
    {"report", "clinic"},
    {"teach"},
    {"tasks"},
    {"train"},
    {"export"},
    {"api", "quickstart", "doctor"},
    {"cli"},
    {"__main__"},
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
WITHOUT_TORCH = [name for name in LEVEL if LEVEL[name] <= LEVEL["teach"] and name not in ("models", "losses")]
TORCH = ("torch", "torchvision", "timm", "lightning", "insightface")
SOURCES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of everything a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module)
            if node.module == "vnvision":
                found |= {f"vnvision.{alias.name}" for alias in node.names}
    return found


def part(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_down(path):
    own = part(path)
    if own == "__init__":
        return
    assert own in LEVEL, f"{own} has no layer: add it to DESIGN and to this test"
    for name in imported(path):
        if not name.startswith("vnvision."):
            continue
        other = name.split(".")[1]
        if other in (own, "__version__"):
            continue
        lower = LEVEL[other] < LEVEL[own]
        together = LEVEL[other] == LEVEL[own] and LEVEL[own] in (0, LEVEL["api"])
        assert lower or together, f"{path.relative_to(ROOT)} ({own}) imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if part(path) in WITHOUT_TORCH], ids=lambda p: str(p.relative_to(ROOT))
)
def test_lower_layers_never_name_torch_models_or_losses(path):
    for name in imported(path):
        assert name.split(".")[0] not in TORCH, f"{path.relative_to(ROOT)} imports {name}"
        assert not name.startswith(("vnvision.models", "vnvision.losses")), f"{path} imports {name}"


def test_importing_what_runs_on_a_device_loads_no_torch():
    code = (
        "import sys, vnvision, vnvision.runtime, vnvision.evaluate, vnvision.report, vnvision.data.manifest\n"
        "import vnvision.imaging, vnvision.engines, vnvision.cli.main, vnvision.teach.run\n"
        "vnvision.load_bundle\n"
        f"loaded = sorted(set({TORCH}) & set(sys.modules))\n"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_four_verbs_are_packages_and_callable():
    import vnvision as vv

    assert callable(vv.train)
    assert callable(vv.evaluate)
    assert callable(vv.export)
    assert callable(vv.teach)
    from vnvision.train.config import TrainConfig

    assert vv.train.config.TrainConfig is TrainConfig
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vv.nothing
