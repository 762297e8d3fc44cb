"""Mathematics drawn by a KaTeX that lies beside the page: nothing is asked of the network."""

from html import escape

from docutils import nodes


def inline(self, node):
    """Write inline mathematics as its source, which draw_math.js replaces."""
    self.body.append(f'<span class="math katex-source">{escape(node.astext())}</span>')
    raise nodes.SkipNode


def display(self, node):
    """Write displayed mathematics in a box that scrolls by itself on a phone."""
    source = escape(node.astext())
    self.body.append(f'<div class="math-display katex-source" data-display="1">{source}</div>')
    raise nodes.SkipNode


def setup(app):
    """Register the renderer and its files."""
    app.add_html_math_renderer("katex", (inline, None), (display, None))
    app.config.html_math_renderer = "katex"
    app.add_css_file("vendor/katex/katex.min.css")
    app.add_js_file("vendor/katex/katex.min.js", loading_method="defer")
    app.add_js_file("draw_math.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
