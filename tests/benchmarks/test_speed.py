"""The whole benchmark runs, in tiny sizes; what the times are is not asked."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.speed.__main__ import main
from benchmarks.speed.groups import groups_of
from benchmarks.speed.page import PAGES

ROOT = Path(__file__).parents[2]
GROUPS = [name for name in groups_of("cpu") if name != "steps"]  # which test_steps.py runs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of results of a quick run, in a process of its own as it changes threads."""
    results = tmp_path_factory.mktemp("results")
    options = ["--quick", "--results", str(results), "--only", *GROUPS]
    # only its own and the library's warnings: what others deprecate is not asked here
    command = [sys.executable, "-W", "error::UserWarning", "-m", "benchmarks.speed", *options]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return results / "quick"


@pytest.mark.parametrize("group", GROUPS)
def test_every_case_is_measured(folder, group):
    kept = json.loads((folder / f"speed-cpu-{group}.json").read_text())
    assert kept["machine"]["threads"] == "1"
    rows = kept["rows"]
    assert rows
    assert len({row["what"] for row in rows}) == len(rows)
    for row in rows:
        assert row["group"] == group
        assert row["ratios"][row["limit"]] == [1, 1, 1]
        assert {"ours", "Monitor"} & row["times"].keys()
        assert all(low <= middle <= high for low, middle, high in row["times"].values())


def test_the_page_is_filled(folder):
    page = (folder / "cost-tables.md").read_text() + (folder / "cost-steps-tables.md").read_text()
    for group in GROUPS:
        content = page.partition(f"<!-- begin: {group} -->\n")[2].partition("<!-- end")[0]
        assert content.startswith("| ")
    promised = (folder / "cost.md").read_text().partition("<!-- begin: promised -->\n")[2]
    assert promised.startswith("|  | what | promised | measured | met |")
    for name in ("sizes", "growth"):
        assert (folder / f"cost-{name}.png").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_the_pages_in_the_docs_stay_as_they_are(folder, page):
    text = (ROOT / "docs" / "benchmarks" / page).read_text()
    assert text != (folder / page).read_text()


def test_an_unknown_group_is_refused(capsys):
    with pytest.raises(SystemExit):
        main(["--only", "nothing"])
    assert "choose from" in capsys.readouterr().err


def test_a_gpu_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit, match="there is no GPU here"):
        main(["--device", "cuda"])
