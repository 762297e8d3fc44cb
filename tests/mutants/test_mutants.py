"""The list of mutants fits the source it is for."""

import pytest

from mutants.mutant import PACKAGE, ROOT, Mutant, attach
from mutants.mutants import MUTANTS

FILES = sorted({mutant.file for mutant in MUTANTS})


@pytest.mark.parametrize("file", FILES)
def test_each_edit_applies_to_one_place_and_changes_it(file: str):
    source = (PACKAGE / file).read_text(encoding="utf-8")
    for mutant in MUTANTS:
        if mutant.file == file:
            edited = mutant.applied(source)
            assert edited != source, mutant.name
            compile(edited, mutant.name, "exec")


def test_there_are_enough_and_each_has_a_name_of_its_own():
    assert len(MUTANTS) >= 25
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


def test_every_mutant_has_tests_to_catch_it():
    assert all(mutant.tests for mutant in MUTANTS)


NAMED = {test.partition("[")[0] for mutant in MUTANTS for test in mutant.tests}


@pytest.mark.parametrize("path", sorted({test.partition("::")[0] for test in NAMED}))
def test_the_tests_that_are_named_are_there(path: str):
    source = (ROOT / path).read_text(encoding="utf-8")
    of_path = {test.partition("::")[2] for test in NAMED if test.partition("::")[0] == path}
    assert [name for name in of_path if name and f"def {name}(" not in source] == []


def test_a_file_of_attach_is_found_in_its_wing():
    assert attach("rules::it_is") == "tests/attach/rules/test_rules.py::test_it_is"
    assert attach("copies::it_is") == "tests/attach/test_copies.py::test_it_is"
    with pytest.raises(ValueError, match=r"one test_nowhere\.py in tests/attach, found 0"):
        attach("nowhere::it_is")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("b", "c", "occurs 2 times"),
        ("d", "c", "occurs 0 times"),
        ("a", "a", "old and new text are the same"),
    ],
)
def test_an_edit_that_does_not_fit_says_so(old: str, new: str, message: str):
    with pytest.raises(ValueError, match=f"wrong: .*{message}"):
        Mutant("wrong", "_l1.py", old, new, ("a test",)).applied("abb")
