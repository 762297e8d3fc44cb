"""Settings as they are saved and read back: strictly, and as they were."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pytest

from regularizers.errors import ConfigurationError

# what every recipe keeps its settings by; no public name
from regularizers.recipes import classifier, language_model, sparse_autoencoder, superposition
from regularizers.recipes._settings import changed, from_json, to_json


@dataclass(frozen=True)
class Settings:
    """One of each kind."""

    part: float | Path = 0.3
    file: Path | None = None
    named: float | str = "a"
    kinds: tuple[Literal["x", "y"], ...] = ("x",)
    rates: tuple[float, ...] = (1.0,)
    pair: tuple[int, str] | None = None
    runs: Path = Path("runs")
    resume: Path | None = None
    from_scratch: tuple[str, ...] = ()

    def check(self) -> None:
        """All are valid."""


READ_BACK = {
    "defaults": Settings(),
    "paths": Settings(part=Path("/a/b"), file=Path("/c")),
    "text in place of a number": Settings(named="/not/a/path"),
    "sequences": Settings(kinds=("y", "x"), rates=(2.0, 1e-3), pair=(3, "z")),
}


@pytest.mark.parametrize("case", READ_BACK)
def test_settings_are_read_back_as_they_were(case):
    settings = READ_BACK[case]
    saved = json.loads(json.dumps({"format": 1, "recipe": "x", **to_json(settings)}))
    assert from_json(Settings, saved) == settings


@pytest.mark.parametrize("recipe", [classifier, language_model, sparse_autoencoder, superposition])
def test_those_of_every_recipe_are_read_back(recipe):
    settings = replace(recipe.Config(), seed=7, resume=Path("x"), from_scratch=("a",))
    assert changed(settings) == ["--seed"]
    assert from_json(recipe.Config, json.loads(json.dumps(to_json(settings)))) == replace(
        recipe.Config(), seed=7
    )


def test_a_relative_path_is_saved_from_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert from_json(Settings, to_json(Settings(file=Path("x.csv")))).file == tmp_path / "x.csv"


REFUSED = {
    "text": ({"rates": ["1"]}, r"rates\[0\]: expected float, got str"),
    "neither": ({"part": None}, r"part: expected float \| str, got null"),
    "null": ({"kinds": None}, r"kinds: expected array, got null"),
    "no choice": ({"kinds": ["z"]}, r"kinds\[0\]: invalid enum value 'z'"),
    "too short": ({"pair": [1]}, r"pair: expected array of length 2, got 1"),
    "unknown": ({"colour": 1, "size": 2}, r"this version has, got 'colour', 'size' too"),
    "not saved": ({"resume": "x"}, r"this version has, got 'resume' too"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_setting_is_named(case):
    saved, message = REFUSED[case]
    with pytest.raises(ConfigurationError, match=message):
        from_json(Settings, saved)
