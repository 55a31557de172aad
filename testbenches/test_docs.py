# SPDX-License-Identifier: Apache-2.0
"""Documents name what exists, and what is public says what it is for."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOPS = ("hw", "sim", "models", "testbenches")  # real folders, linked into src/neurotile
DOCUMENTS = [p for p in [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))] if p.exists()]

CODE_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
BACKTICKS = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
# Folders, a file, and perhaps a place in it: `testbenches/test_noc.py::test_order`, `hw/noc.py:12`.
# A name with <, * or { stands for many files and is no path.
PATH = re.compile(r"(?P<path>[\w.-]+(?:/[\w.-]+)*/?)(?::\d+|::(?P<name>\w+))?")
# Committed folders; what lies in build/, out/ and rtl_out/ is there only after a run.
FOLDERS = {*TOPS, "src", "docs", ".ci"}
FILES = {"README.md", "LICENSE", "Makefile", "pyproject.toml"}


def mentions(text: str) -> Iterator[tuple[str, str | None]]:
    """Repository paths in backticks outside code blocks, each with the name it points at."""
    for token in BACKTICKS.findall(CODE_BLOCK.sub("", text)):
        match = PATH.fullmatch(token)
        if match is None:
            continue
        path, name = match["path"], match["name"]
        top, slash, _ = path.partition("/")
        if path in FILES or (slash and top in FOLDERS):
            yield path, name
        elif slash and top in ("spec", "neurotile"):  # short for what lies in src/
            yield f"src/{path}" if top == "neurotile" else f"src/neurotile/{path}", name


def missing(text: str, folder: Path) -> list[str]:
    """What a document in `folder` names and the repository lacks."""
    found = []
    for path, name in mentions(text):
        target = ROOT / path
        if not target.exists():
            found.append(path)
        elif name and f"def {name}(" not in target.read_text():
            found.append(f"{path}::{name}")
    for link in LINK.findall(CODE_BLOCK.sub("", text)):
        file = link.partition("#")[0]
        if file and "://" not in link and not link.startswith("mailto:"):
            found += [] if (folder / file).exists() else [link]
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_named_files_exist(document):
    assert missing(document.read_text(), document.parent) == []


def test_a_planted_path_is_found():
    text = """See `hw/no_such.py`, `spec/nor_this.py:3`, [this](gone.md#part) and
`testbenches/test_docs.py::test_no_such`; not `a/b`, `hw/*.py`, `make test`, `rtl_out/tile.v` or
[a page](https://example.org/x).
```
`hw/in_a_block.py`
```
Right are `hw/`, `Makefile`, `testbenches/test_docs.py::missing` and [terms](LICENSE).
"""
    wrong = ["hw/no_such.py", "src/neurotile/spec/nor_this.py"]
    wrong += ["testbenches/test_docs.py::test_no_such", "gone.md#part"]
    assert missing(text, ROOT) == wrong


def is_test(path: Path) -> bool:
    return path.name.startswith("test_") or path.name == "conftest.py"


# Resolved and as a set, because some Python versions follow the links in src/neurotile.
MODULES = sorted(
    path
    for path in {p.resolve() for top in (*TOPS, "src") for p in (ROOT / top).glob("**/*.py")}
    if not is_test(path) and (not path.name.startswith("_") or path.name == "__init__.py")
)


def undocumented(source: str) -> list[str]:
    """Public definitions of a module that lack a docstring; the module itself is `(module)`."""
    tree = ast.parse(source)
    names = [] if ast.get_docstring(tree) else ["(module)"]
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        # What main does, the module's docstring says. A cocotb test is a test.
        exempt = node.name == "main" or node.name.startswith("_")
        exempt |= any("cocotb." in ast.unparse(d) for d in node.decorator_list)
        if not exempt and not ast.get_docstring(node):
            names.append(node.name)
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_public_names_have_docstrings(path):
    assert undocumented(path.read_text()) == []


def test_a_missing_docstring_is_found():
    source = '''
class Bare:
    x = 1
    """Not the docstring: it comes second."""

def documented():
    """Says so."""

async def bare(): ...

def _private(): ...

def main(): ...

@cocotb.test(timeout_time=1)
async def scenario(dut): ...
'''
    assert undocumented(source) == ["(module)", "Bare", "bare"]
