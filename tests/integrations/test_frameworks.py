"""A framework that is missing or too old is said, with the line that installs it."""

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

import regularizers as rz
from regularizers.errors import FrameworkError

# private: the check itself, with names and versions that no integration asks for
from regularizers.integrations._frameworks import check_framework


def test_a_framework_that_is_there_will_do():
    check_framework("torch", "2.0")
    check_framework("pytest", "8")


def test_a_framework_that_is_missing_is_named_with_a_cure():
    with pytest.raises(FrameworkError, match=r"no-such-thing: expected .* 3\.1 .* got none"):
        check_framework("no-such-thing", "3.1")


def test_a_framework_that_is_too_old_is_named_with_both_versions(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", {"keras": "3.9.2"}.get)
    with pytest.raises(ImportError, match=r"keras: expected .* 3\.14 .* got 3\.9\.2; pip install"):
        check_framework("keras", "3.14")
    check_framework("keras", "3.9")
    check_framework("keras", "3.9.2.0")


def test_an_integration_that_there_is_not_is_said_with_those_there_are():
    with pytest.raises(AttributeError, match="has no paddle; it has flax, keras, lightning"):
        rz.integrations.paddle  # noqa: B018


@pytest.mark.skipif(find_spec("tensorflow") is not None, reason="the backend is there")
def test_keras_without_the_library_of_its_backend_names_the_library():
    result = subprocess.run(
        [sys.executable, "-c", "import regularizers.integrations.keras"],
        env={**os.environ, "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "FrameworkError: keras: expected the library of its backend, got none" in result.stderr
    assert "KERAS_BACKEND=torch" in result.stderr.splitlines()[-1]
