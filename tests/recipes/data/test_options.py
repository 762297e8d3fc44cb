"""The options of tables: what cannot hold together, and how the command line says them."""

from pathlib import Path

import pytest

from recipes.awkward.case import CELLS, LABELS, table
from recipes.commands import run
from regularizers.errors import ConfigurationError
from regularizers.recipes.data import TableOptions

BAD = {
    "both": ({"header": True, "no_header": True}, "header: expected .* got both"),
    "long separator": ({"separator": "ab"}, "separator: expected one character .* got 'ab'"),
    "a quote": ({"separator": '"'}, "separator: expected one character that is no quote"),
    "one for both": ({"separator": ",", "decimal": ","}, "separator: expected .* not --decimal ,"),
    "decimal": ({"decimal": ";"}, r"decimal: expected \. or , got ';'"),
    "used and dropped": ({"columns": ("a", "b"), "drop": ("b",)}, "drop: .* got 'b' in both"),
    "picture": ({"picture": (0, 3)}, "picture: expected a height and a width .* got 0 3"),
    "no data": ({"data": None, "drop": ("a",)}, "drop: expected --data FILE with it, got none"),
}


@pytest.mark.parametrize("name", BAD)
def test_options_that_cannot_hold_together_say_why(name):
    options, message = BAD[name]
    with pytest.raises(ConfigurationError, match=message):
        TableOptions(**{"data": Path("x.csv"), **options}).check_table()


def test_names_and_characters_say_the_same_separator():
    for name, character in (("tab", "\t"), (r"\t", "\t"), ("semicolon", ";"), (";", ";")):
        assert TableOptions(separator=name).separated_by == character
    assert TableOptions().names_first is None
    assert TableOptions(no_header=True).names_first is False


def test_the_command_line_asks_for_a_header_and_takes_the_answer(tmp_path, capsys):
    rows = [["7", *row[1:]] for row in CELLS * 3]
    (tmp_path / "x.csv").write_text(table("0,1,2,3,4", rows, LABELS * 3))
    data = ["--data", tmp_path / "x.csv", "--runs", tmp_path / "runs"]
    assert run("classifier", *data, "--target", "5") == 2
    err = capsys.readouterr().err
    assert "say --header if" in err
    assert len(err.strip().splitlines()) == 1
    assert run("classifier", *data, "--target", "5", "--header") == 2
    assert "--target to be the name of a column" in capsys.readouterr().err
    small = ["--units", "4", "--active", "1", "--steps", "2", "--batch-size", "8", "--beside"]
    assert run("sparse-autoencoder", *data, *small, "--header", "--drop", "4") == 0
    printed = capsys.readouterr().out
    assert "3 features" in printed
    assert "column 1 ('0') is left out: 7 in every row" in printed
