# SPDX-License-Identifier: Apache-2.0
"""Data flows one way; so do the imports."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOPS = ("hw", "sim", "models", "testbenches")  # real folders, linked into src/neurotile

# Where a module belongs: the first prefix that fits. The last is what sits on top: the command line
# and the report, which like the test benches may use everything.
PARTS = [
    "neurotile.spec",
    "neurotile.hw",
    "neurotile.sim",
    "neurotile.models.golden",
    "neurotile.models",
    "neurotile.testbenches",
    "neurotile",
]
GOLDEN, MODELS = "neurotile.models.golden", "neurotile.models"
MAY_IMPORT = {
    "neurotile.spec": {"neurotile.spec"},
    "neurotile.hw": {"neurotile.hw", "neurotile.spec"},
    "neurotile.sim": {"neurotile.sim", "neurotile.spec"},
    GOLDEN: {GOLDEN, "neurotile.spec"},
    # Not golden: a mapper that read its own judge would agree with it.
    MODELS: {MODELS, "neurotile.spec"},
    "neurotile.testbenches": set(PARTS),
    "neurotile": set(PARTS),
}
# Everyone reads spec, so whatever spec imports, everyone pays for.
SPEC_MAY_IMPORT = sys.stdlib_module_names | {"numpy"}
# Facts about the package, which run nothing and belong to no part.
FREE = {"neurotile.__version__"}


def part(module: str) -> str | None:
    return next((p for p in PARTS if module == p or module.startswith(p + ".")), None)


def imports(source: str, package: str) -> Iterator[str]:
    """Full names of what `source` imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = parents[: len(parents) - node.level + 1] if node.level else []
            module = ".".join(base + ([node.module] if node.module else []))
            # `from neurotile import spec` is about spec, not about all of neurotile.
            yield from (f"{module}.{alias.name}" for alias in node.names)


def complaints(source: str, package: str) -> list[str]:
    """What `source`, lying in `package`, imports against the direction of the data."""
    home = part(package)
    assert home is not None, f"{package} is not ours"
    wrong = []
    for module in imports(source, package):
        target = part(module)
        if module.split(".")[0] in TOPS:
            wrong.append(f"{module}: say neurotile.{module}")
        elif target is not None and target not in MAY_IMPORT[home] and module not in FREE:
            wrong.append(f"{module}: {home} may not import {target}")
        elif target is None and home == PARTS[0] and module.split(".")[0] not in SPEC_MAY_IMPORT:
            wrong.append(f"{module}: {home} takes the standard library and numpy")
    return wrong


def package_of(path: Path) -> str:
    folders = path.relative_to(ROOT).parts[:-1]
    return ".".join(folders[1:] if folders[0] == "src" else ("neurotile", *folders))


# glob follows no links below its start in Python 3.11 and 3.12 but does in 3.13: drop what it
# would see twice.
SOURCES = sorted({p.resolve() for top in (*TOPS, "src") for p in (ROOT / top).glob("**/*.py")})


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_data(path):
    assert complaints(path.read_text(), package_of(path)) == []


def relative_imports(source: str) -> list[int]:
    nodes = ast.walk(ast.parse(source))
    return [n.lineno for n in nodes if isinstance(n, ast.ImportFrom) and n.level]


def test_test_files_import_absolutely():
    # pytest loads testbenches/test_x.py as `testbenches.test_x`. There `from .bench` would make a
    # second module beside neurotile.testbenches.bench, and `from ..hw` fail.
    files = [p for p in SOURCES if p.name.startswith("test_") or p.name == "conftest.py"]
    assert Path(__file__).resolve() in files
    found = {p.name: lines for p in files if (lines := relative_imports(p.read_text()))}
    assert not found, f"relative imports by file and line: {found}"


def test_every_source_was_found():
    found = {package_of(p).split(".")[1] for p in SOURCES if package_of(p) != "neurotile"}
    assert found >= {"spec", *TOPS}


def test_spec_is_light():
    # Also what a parser does not see: an import by way of neurotile/__init__.py, or at run time.
    heavy = {"amaranth", "numba", "nir", "h5py", "matplotlib", "torch", "neurotile.hw"}
    code = f"import sys, neurotile.spec; print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


@pytest.mark.parametrize(
    ("package", "source", "says"),
    [
        ("neurotile.spec", "import numba", "standard library"),
        ("neurotile.spec", "def f():\n    from amaranth.lib import data", "standard library"),
        ("neurotile.spec", "from .. import hw", "may not import neurotile.hw"),
        ("neurotile.hw", "from ..sim.tile import Tile", "may not import neurotile.sim"),
        ("neurotile.hw.noc", "from ...models import mapper", "may not import neurotile.models"),
        ("neurotile.sim", "import neurotile.hw.tile", "may not import neurotile.hw"),
        ("neurotile.sim", "from neurotile import cli", "may not import neurotile"),
        ("neurotile.models.golden", "from ..quantise import f", "may not import neurotile.models"),
        ("neurotile.models", "from .golden import run", "may not import neurotile.models.golden"),
        ("neurotile.models.zoo", "from ..golden import run", "neurotile.models.golden"),
        ("neurotile.testbenches", "import hw.tile", "say neurotile.hw"),
    ],
)
def test_a_planted_import_is_found(package, source, says):
    (complaint,) = complaints(source, package)
    assert says in complaint


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("neurotile.spec", "import tomllib\nimport numpy as np\nfrom .config import TileConfig"),
        ("neurotile.hw", "import amaranth\nfrom . import link\nfrom ..spec import TileConfig"),
        ("neurotile.sim", "import neurotile.spec\nfrom neurotile import spec, __version__"),
        ("neurotile.models.golden", "from .lif import step\nfrom ...spec.word import Word"),
        ("neurotile.models", "from neurotile.spec import Program\nfrom .zoo import load"),
        ("neurotile", "from .hw import tile\nfrom neurotile.models.golden import run"),
        ("neurotile.testbenches", "from ..hw import tile\nfrom ..sim import tile as fast"),
    ],
)
def test_a_rightful_import_passes(package, source):
    assert complaints(source, package) == []
