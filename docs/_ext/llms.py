"""Writes llms.txt, the pages with one sentence each, and llms-full.txt, their text.

The form is that of https://llmstxt.org: a title, a summary, and links by section.
"""

import inspect
from pathlib import Path

from docutils import nodes
from public_names import homes, value_of

SUMMARY = (
    "Regularization for neural networks in Python: penalties on activations, on their change over "
    "time and on weights, attached to any PyTorch model without editing it, with exact gradients."
)
SECTIONS = {
    "": "Start",
    "tutorials": "Tutorials",
    "how-to": "How-to guides",
    "integrations": "Integrations",
    "extend": "Extending",
    "concepts": "Concepts",
    "recipes": "Commands",
    "examples": "Gallery",
    "api": "API",
    "benchmarks": "Benchmarks",
}


def write(app, error):
    """Write both files beside the pages."""
    if error or app.builder.format != "html":
        return
    env, out = app.env, Path(app.outdir)
    lines, full = [f"# {app.config.project}", "", f"> {SUMMARY}"], []
    for folder, title in SECTIONS.items():
        lines += ["", f"## {title}", ""]
        for name in sorted(env.found_docs):
            if name.startswith("api/generated/") or name.rpartition("/")[0] != folder:
                continue
            source = f"_sources/{env.doc2path(name, base=False)}.txt"
            said = _first_paragraph(env.get_doctree(name))
            lines.append(f"- [{env.titles[name].astext()}]({source})" + (said and f": {said}"))
            full.append((out / source).read_text(encoding="utf-8"))
    full += [f"## {home}\n\n{_documentation(home)}" for home in sorted(set(homes().values()))]
    (out / "llms.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (out / "llms-full.txt").write_text("\n\n".join(full) + "\n", encoding="utf-8")


def _first_paragraph(tree):
    for paragraph in tree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            return " ".join(paragraph.astext().split())
    return ""


def _documentation(home):
    value, name = value_of(home), home.rpartition(".")[2]
    try:
        signature = f"{name}{inspect.signature(value)}"
    except (TypeError, ValueError):
        signature = name
    return f"    {signature}\n\n{inspect.getdoc(value) or ''}"


def setup(app):
    """Write at the end of a build."""
    app.connect("build-finished", write)
    return {"parallel_read_safe": True}
