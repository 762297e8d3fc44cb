"""Every example of the gallery and every tutorial runs without a warning and draws a picture."""

import os
import re
import subprocess
import sys

import pytest

from pages.sources import EXAMPLES

AFTER = """
import matplotlib.pyplot as plt
assert plt.get_fignums(), "no picture was drawn"
for number in plt.get_fignums():
    plt.figure(number).canvas.draw()
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_draws(path, tmp_path):
    script = tmp_path / path.name
    script.write_text(path.read_text(encoding="utf-8") + AFTER, encoding="utf-8")
    # deprecations are those of other libraries, on which an example has no influence
    warned = ["-W", "error", "-W", "default::DeprecationWarning", "-W", "default::FutureWarning"]
    warned += ["-W", "ignore:FigureCanvasAgg is non-interactive"]
    run = subprocess.run(
        [sys.executable, *warned, script],
        env=dict(os.environ, MPLBACKEND="Agg", OMP_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_begins_with_one_sentence_and_ends_with_a_guide(path):
    text = path.read_text(encoding="utf-8")
    head = re.match(r'r?"""(.+?)\n=+\n\n(.+?)(?:\n\n|\n?""")', text, re.DOTALL)
    assert head, "expected a title, a line of = and a sentence that says what one will see"
    assert len(re.findall(r"[.!?](?:\s|$)", head[2])) == 1, head[2]
    assert re.search(r":doc:`[^`]+`", text), "expected a link to a page"
