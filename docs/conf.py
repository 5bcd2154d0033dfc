"""How the documentation is built: `sphinx-build -W -n docs docs/_build`. Nothing is fetched from the network."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_extensions")]

import netsim  # noqa: E402

project = "slicetwin"
author = "The slicetwin authors"
copyright = author
version = release = netsim.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "formulae",
    "generated",
    "kept",
    "named",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
default_role = "code"  # docstrings write commands and values in single backquotes
smartquotes = False  # "--out" stays what it is
suppress_warnings = ["config.cache"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # names, units and shapes are in the docstrings; annotations are read in the source
napoleon_google_docstring = False
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [
    # Of other projects, whose pages are not asked for while this is built; and words of docstrings' headings.
    (r"py:.*", r"(numpy|simpy|gymnasium|torch|pydantic|pluggy|click|collections|pathlib|typing|abc)(\..*)?"),
]

html_theme = "furo"
html_title = f"slicetwin {version}"
html_static_path = ["_static"]
html_css_files = ["slicetwin.css"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
