"""How the site is built: `make docs`, or without running the gallery `make docs GALLERY=0`."""

import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the gallery measures the same on every machine
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "regularizers"
author = "The regularizers authors"
copyright = "The regularizers authors, Apache-2.0"
version = release = version_of("regularizers")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "offline_katex",
    "plain_members",
    "names_in_code",
    "source_links",
    "llms",
]
templates_path = ["_templates"]
exclude_patterns = ["_ext", "**/*.ipynb", "sg_execution_times.rst", "**/sg_execution_times.rst"]
nitpicky = True
nitpick_ignore_regex = [  # others' names stay plain: nothing is asked of the network
    ("py:.*", r"(abc|collections|flax|jax|keras|lightning|numpy|optax|torch|transformers)\..*"),
]
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4

# docstrings
add_module_names = False
autosummary_generate = True
autosummary_imported_members = True
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints = "none"  # the signature keeps them as written; Args say what they are
autodoc_inherit_docstrings = False  # a method that keeps its parent's contract is on that page
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
napoleon_attr_annotations = False
napoleon_custom_sections = [("Shape", "notes_style"), ("Source", "notes_style")]

# examples: prompts are shown, and left out by the copy button
copybutton_prompt_text = r"\$ "
copybutton_prompt_is_regexp = True
copybutton_only_copy_prompt_lines = True
copybutton_exclude = ".linenos, .gp, .go"

sphinx_gallery_conf = {
    "examples_dirs": ["../examples", "../tutorials"],
    "gallery_dirs": ["examples", "tutorials"],
    "filename_pattern": r"/plot_",
    "plot_gallery": os.environ.get("GALLERY", "1") != "0",
    "within_subsection_order": "gallery_order.Order",
    "thumbnail_size": (500, 200),
    "backreferences_dir": "api/backreferences",
    "doc_module": ("regularizers",),
    "reference_url": {"regularizers": None},
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,  # its page loads scripts from outside
    "copyfile_regex": "",
    "matplotlib_animations": False,
    "abort_on_example_error": True,
}

html_theme = "furo"
pygments_dark_style = "github-dark"
html_title = "regularizers"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["search_from_files.js"]
html_copy_source = True  # llms.txt links to the Markdown of a page
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": True,
    "light_css_variables": {"color-brand-primary": "#0b5cad", "color-brand-content": "#0b5cad"},
    "dark_css_variables": {"color-brand-primary": "#7db8f0", "color-brand-content": "#7db8f0"},
}
