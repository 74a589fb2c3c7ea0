"""Build the documentation with Sphinx: make docs."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402  found through the line above

from workbench import __version__  # noqa: E402

project = "workbench"
author = "the workbench developers"
copyright = "the workbench developers"  # noqa: A001  the name that Sphinx reads
version = release = __version__

extensions = ["myst_parser", "commands"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["pictures"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
smartquotes = False  # "--group" has to stay what can be typed
# Files of the repository that are no pages, such as benchmarks/QUALITY.md, are shown there.
suppress_warnings = ["myst.header"]
locale_dirs = ["locale"]
gettext_compact = False

html_theme = "furo"
html_title = "workbench"
html_theme_options = {"source_directory": "docs/"}
html_show_sphinx = False

generate.write_pages(HERE)
