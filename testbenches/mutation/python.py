# SPDX-License-Identifier: Apache-2.0
"""Plant one bug in one Python module by changing its syntax tree."""

import ast
import copy
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Bug", "bugs_of", "choose", "with_bug"]

_OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Lt: ast.LtE,
    ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And}
_CALLS = {"max": "min", "min": "max"}


@dataclass(frozen=True)
class Bug:
    """One change: the module's name, the number of the syntax node, and words for people."""

    module: str
    node: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.module}: {self.text}"


def _functions(tree: ast.Module) -> Iterator[tuple[int, ast.AST]]:
    """Nodes inside functions, numbered over the whole tree; annotations are left out."""
    inside: set[int] = set()
    skip: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            inside |= {id(n) for statement in node.body for n in ast.walk(statement)}
            skip |= {id(n) for part in (node.args, node.returns, *node.decorator_list)
                     if part is not None for n in ast.walk(part)}
        if isinstance(node, ast.AnnAssign):
            skip |= {id(n) for n in ast.walk(node.annotation)}
    for number, node in enumerate(ast.walk(tree)):
        if id(node) in inside - skip:
            yield number, node


def _mutate(node: ast.AST) -> str | None:
    """Change ``node`` in place; its kind, or ``None`` if there is nothing to change."""
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        node.op = _OPERATORS[type(node.op)]()
        return "operator"
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _OPERATORS:
        node.ops = [_OPERATORS[type(node.ops[0])](), *node.ops[1:]]
        return "operator"
    if isinstance(node, ast.BoolOp):
        node.op = _OPERATORS[type(node.op)]()
        return "operator"
    if isinstance(node, ast.AugAssign) and type(node.op) in _OPERATORS:
        node.op = _OPERATORS[type(node.op)]()
        return "operator"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        node.func = ast.Name(_CALLS[node.func.id], ast.Load())
        return "order"
    if isinstance(node, ast.IfExp):
        node.body, node.orelse = node.orelse, node.body
        return "order"
    if isinstance(node, ast.If):
        node.test = ast.UnaryOp(ast.Not(), node.test)
        return "enable"
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        return "constant"
    return None


def bugs_of(module: str, source: str) -> list[Bug]:
    """Every bug that can be planted in the functions of a module."""
    tree = ast.parse(source)
    statements: dict[int, ast.stmt] = {}
    for statement in ast.walk(tree):  # the outer ones first
        if isinstance(statement, ast.stmt):
            statements |= {id(node): statement for node in ast.walk(statement)}
    found = []
    for number, node in _functions(tree):
        before = copy.copy(node)
        if kind := _mutate(node):
            statement = statements[id(node)]
            now = ast.unparse(statement).splitlines()[0]
            node.__dict__.update(before.__dict__)
            was = ast.unparse(statement).splitlines()[0]
            found.append(Bug(module, number, kind,
                             f"line {statement.lineno}: {_difference(was, now)}"))
    return found


def _difference(was: str, now: str, around: int = 24) -> str:
    """Where two lines differ, with a little of what stands around it."""
    head = len(os.path.commonprefix([was, now]))
    tail = len(os.path.commonprefix([was[head:][::-1], now[head:][::-1]]))
    start, left, right = max(0, head - around), "", ""
    if start:
        left = "… "
    if tail > around:
        right = " …"
    old, new = (f"{left}{line[start:len(line) - max(0, tail - around)]}{right}"
                for line in (was, now))
    return f"{new}  (was {old})"


def with_bug(source: str, bug: Bug, filename: str) -> ast.Module:
    """Syntax tree of ``source`` with the bug planted."""
    tree = ast.parse(source, filename)
    node = next(n for number, n in enumerate(ast.walk(tree)) if number == bug.node)
    if _mutate(node) != bug.kind:
        raise ValueError(f"{bug}: the source has changed")
    return ast.fix_missing_locations(tree)


def choose(bugs: list[Bug], count: int, seed: int) -> list[Bug]:
    """``count`` bugs, spread evenly over modules and kinds."""
    rng = random.Random(seed)
    pools: dict[tuple[str, str], list[Bug]] = {}
    for bug in rng.sample(bugs, len(bugs)):
        pools.setdefault((bug.module, bug.kind), []).append(bug)
    chosen: list[Bug] = []
    while len(chosen) < count and any(pools.values()):
        for key in sorted(pools):
            if pools[key] and len(chosen) < count:
                chosen.append(pools[key].pop())
    return sorted(chosen, key=lambda bug: (bug.module, bug.node))
