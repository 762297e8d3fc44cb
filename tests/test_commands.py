"""The commands for the people who carry on: the menu, and the hooks that check a commit."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
HOOKS = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")


def commands_of(target: str) -> list[str]:
    recipe = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe, target
    pytest_ = re.search(r"^PYTEST := (.*)$", MAKEFILE, re.MULTILINE)
    assert pytest_
    text = recipe[1].replace("$(PYTEST)", pytest_[1]).replace("$(BIN)", ".venv/bin")
    return [line.strip() for line in text.splitlines()]


def test_the_hooks_call_what_check_calls():
    *checks, tests = commands_of("check")
    *before_commit, before_push = re.findall(r"entry: (.*)", HOOKS)
    assert before_commit == checks
    assert "pytest" in tests
    assert before_push == "make quick"


def test_every_target_is_in_the_menu_and_is_no_file():
    phony = re.search(r"^\.PHONY: ((?:.*\\\n)*.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    described = re.findall(r"^([a-z-]+):.*## .+", MAKEFILE, re.MULTILINE)
    assert sorted(phony[1].replace("\\\n", " ").split()) == sorted(described)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "README.md"])
def test_a_page_names_only_targets_that_are_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.MULTILINE))
    assert named
    assert all(commands_of(first or second) for first, second in named)


def test_contributing_names_only_files_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:src|tests|docs|benchmarks)/[^`\s]*)`", text)
    assert len(paths) > 10
    missing = [path for path in paths if not list(ROOT.glob(path.rstrip("/")))]
    assert missing == []
