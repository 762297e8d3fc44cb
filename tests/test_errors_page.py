"""The pages of the errors: every exception of the library, with an example that raises it."""

import inspect
import re
from pathlib import Path

import pytest

from regularizers import errors

CONCEPTS = Path(__file__).parent.parent / "docs" / "concepts"
PAGE = (CONCEPTS / "errors.md").read_text(encoding="utf-8")
OTHERS = {
    name: (CONCEPTS / name).read_text(encoding="utf-8")
    for name in ("errors-of-rules.md", "errors-in-training.md")
}
CLASSES = [
    one
    for _, one in inspect.getmembers(errors, inspect.isclass)
    if issubclass(one, errors.RegularizersError) and one is not errors.RegularizersError
]


def test_the_table_has_every_exception_with_its_built_in_one():
    rows = re.findall(r"^\| \[`(\w+)`\]\(\S+\) \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted((one.__name__, one.__bases__[1].__name__) for one in CLASSES)


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_an_exception_has_a_section_that_the_table_links_to(one):
    name = one.__name__
    pages = {"": PAGE, **OTHERS}
    (place,) = [place for place, text in pages.items() if f"\n## {name}\n" in text]
    assert f"[`{name}`]({place}#{name.lower()})" in PAGE


@pytest.mark.parametrize("one", CLASSES, ids=lambda one: one.__name__)
def test_an_example_raises_it(one):
    text = "".join([PAGE, *OTHERS.values()])
    assert re.search(rf"^regularizers\.errors\.{one.__name__}: ", text, re.MULTILINE)
