"""Check the text of a submission before it runs, and have what can only be known then asked of `guards`.

Nobody is kept from writing a kata: refused is what leads out of a submission's own module, to frames, code, other
modules, or the attributes of what is not its own. What the text does not show, what an attribute with a leading
underscore is of and what is assigned to, becomes a call of a guard. No torch here.
"""

from __future__ import annotations

import ast
from types import CodeType
from typing import NoReturn

from ..sandbox.source import compile_source
from ..spec.errors import Refused
from .allowed import FRAMES, HOOKS, METHODS, MODULE_NAMES, MODULES, NAMES, READABLE

GET, WRITE = "__dojo_get__", "__dojo_write__"  # the guards' names, which no submission can write down itself
FORMATS = ("format", "format_map")  # the methods of str that read attributes
ASKED = (*FORMATS, "obj", "numpy")  # attributes of which it depends on the value whether they may be read
CLASS = "__class__"
MAIN = ("__name__ == '__main__'", "'__main__' == __name__")


def compiled(source: str, filename: str, closed: frozenset[str] = frozenset()) -> CodeType:
    """Compile a submission, to which some packages are `closed`. Raises LoadError, and Refused."""
    compile_source(source, filename)  # its messages are those that a learner knows
    tree = _Policy(closed).visit(ast.parse(source, filename))
    return compile(ast.fix_missing_locations(tree), filename, "exec", dont_inherit=True)


def is_dunder(name: str) -> bool:
    """Whether a name stands between double underscores."""
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def why_not(name: str) -> str:
    """Why nobody may read an attribute of that name, whatever it is of; nothing where some may."""
    if name in FRAMES:
        return f"`{name}` leads to the frames and the code of others"
    if name in MODULE_NAMES:
        return f"`{name}` leads to what is not the submission's"
    if name in HOOKS:
        return f"`{name}` stays behind in tensors that others compute with; a function of autograd does not"
    if is_dunder(name) and name not in READABLE:
        return f"`{name}` leads to what is not the submission's"
    return ""


class _Policy(ast.NodeTransformer):
    def __init__(self, closed: frozenset[str]) -> None:
        self.closed = closed
        self.classes: list[str] = []  # those that a node stands in, outermost first
        self.in_class = False  # whether a node stands in a class and in no function of it

    def _refuse(self, node: ast.AST, why: str) -> NoReturn:
        raise Refused(f"Line {getattr(node, 'lineno', 1)}: grading does not allow this: {why}.")

    def visit_Module(self, node: ast.Module) -> ast.AST:
        """What stands under `if __name__ == "__main__"` is for its author and does not run here."""
        node.body = [each for each in node.body if not _only_as_a_program(each)]
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            self._importable(node, alias.name)
            self._nameable(node, alias.asname or alias.name.split(".")[0])
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        if node.module == "__future__":
            return node
        if node.level == 0 and not (node.module or "").startswith("katas."):
            self._importable(node, node.module or "")
        for alias in node.names:
            if (
                alias.name.startswith("_")
                or (why := why_not(alias.name))
                and f"{node.module}.{alias.name}" not in MODULES
            ):
                self._refuse(node, f"importing `{alias.name}`" if alias.name.startswith("_") else why)
            self._nameable(node, alias.asname or alias.name)
        return node

    def _importable(self, node: ast.AST, name: str) -> None:
        if name not in MODULES and not name.startswith("katas."):
            self._refuse(node, f"importing `{name}`")
        if name.split(".")[0] in self.closed:
            self._refuse(node, f"importing `{name}`, which has a way to all memory; this kata is for torch")

    def _nameable(self, node: ast.AST, name: str) -> None:
        if is_dunder(name) and name not in NAMES and not (self.in_class and name in METHODS):
            self._refuse(node, f"the name `{name}`")

    def visit_Name(self, node: ast.Name) -> ast.AST:
        self._nameable(node, node.id)
        return node

    def visit_arg(self, node: ast.arg) -> ast.AST:
        self._nameable(node, node.arg)
        return self.generic_visit(node)

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        if node.arg:
            self._nameable(node, node.arg)
        return self.generic_visit(node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        for name in node.names:
            self._nameable(node, name)
        return node

    visit_Nonlocal = visit_Global

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self._nameable(node, node.name or "")
        return self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> ast.AST:
        for name in node.kwd_attrs:
            if name.startswith("_") or why_not(name):
                self._refuse(node, why_not(name) or f"matching `{name}`")
        return self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> ast.AST:
        self._nameable(node, node.name or "")
        return self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> ast.AST:
        self._nameable(node, node.rest or "")
        return self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._nameable(node, node.name)
        return self._inside(node, [*self.classes, node.name], True)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> ast.AST:
        if not isinstance(node, ast.Lambda):
            self._nameable(node, node.name)
        return self._inside(node, self.classes, False)

    visit_AsyncFunctionDef = visit_Lambda = visit_FunctionDef

    def _inside(self, node: ast.AST, classes: list[str], in_class: bool) -> ast.AST:
        before = self.classes, self.in_class
        self.classes, self.in_class = classes, in_class
        try:
            return self.generic_visit(node)
        finally:
            self.classes, self.in_class = before

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        inner = node.value
        if isinstance(inner, ast.Attribute) and inner.attr == CLASS and node.attr in ("__name__", "__qualname__"):
            inner.value = self.visit(inner.value)  # the usual way to say of what class a thing is
            return node
        self.generic_visit(node)
        if why := why_not(node.attr):
            self._refuse(node, why)
        if not isinstance(node.ctx, ast.Load):
            node.value = self._guarded(node, WRITE, inner=node.value)
            return node
        private = node.attr.startswith("_") and not is_dunder(node.attr)
        return self._guarded(node, GET, inner=node.value) if private or node.attr in ASKED else node

    def _guarded(self, node: ast.Attribute, guard: str, inner: ast.expr) -> ast.expr:
        """A call of a guard with what the attribute is of and its name, as Python knows it."""
        name = node.attr
        if name.startswith("__") and not name.endswith("__") and self.classes:
            name = f"_{self.classes[-1].lstrip('_')}{name}" if self.classes[-1].strip("_") else name
        call = ast.Call(ast.Name(guard, ast.Load()), [inner, ast.Constant(name)], [])
        return ast.copy_location(call, node)


def _only_as_a_program(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) in MAIN
