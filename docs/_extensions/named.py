"""Names of objects in running text, as `netsim.sla.ssr`, lead to where the reference tells of them, if it does."""

import re

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

NAME = re.compile(r"(netsim|rl|twin)(\.\w+)+")


def name(app: Sphinx, document: nodes.document) -> None:
    """Make each such name a reference that may lead nowhere."""
    for literal in list(document.findall(nodes.literal)):
        text = literal.astext()
        if NAME.fullmatch(text) and not isinstance(literal.parent, pending_xref | nodes.reference):
            reference = pending_xref("", literal.deepcopy(), refdomain="py", reftype="obj", reftarget=text, named=True)
            reference["refdoc"] = app.env.docname
            literal.replace_self(reference)


def leave(app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.Node) -> nodes.Node | None:
    """What the reference does not tell of stays text."""
    return content if node.get("named") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen."""
    app.connect("doctree-read", name)
    app.connect("missing-reference", leave)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
