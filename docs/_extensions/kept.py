"""Figures of kept studies: the README, which pages include, links them in place, and the site takes them along."""

import os
from pathlib import Path

from sphinx.application import Sphinx

LINK = "](results/"


def taken_along(app: Sphinx, included: Path, page: str, content: list[str]) -> None:
    """Make links to them links to files that are copied into the site; MyST gives a page by its last name alone."""
    way = os.path.relpath(Path(app.srcdir).parent / "results", (Path(app.srcdir) / app.env.docname).parent)
    content[0] = content[0].replace(LINK, f"](path:{Path(way).as_posix()}/")


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen."""
    app.connect("include-read", taken_along)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
