"""Several trees in one process do not get into each other's way."""

from __future__ import annotations

from dojo.curriculum.catalog import Catalog
from dojo.sandbox.loader import Workspace

from ..trees import ROOT, copy_tree


def test_two_workspaces_serve_their_own_trees(tmp_path):
    here, there = Workspace(Catalog(ROOT)), Workspace(Catalog(copy_tree(tmp_path / "clone")))
    for name, text in (("k04", "\nTHERE = True\n"), ("k05", "")):
        path = there.catalog.find(name).solution
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")
    for workspace, elsewhere in ((there, True), (here, False), (there, True)):
        kata = workspace.catalog.find("k05")
        softmaxes = workspace.reference(kata).softmax, workspace.learner(kata, kata.solution).module.softmax
        for softmax in softmaxes:
            assert softmax.__globals__.get("THERE", False) == elsewhere
            assert softmax.__code__.co_filename.startswith(str(workspace.catalog.root))
