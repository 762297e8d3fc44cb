"""A Keras model on PyTorch in two processes, against one."""

from pathlib import Path

from integrations.keras_ranks import CHECKS
from two_processes import assert_both_pass


def test_two_processes_are_one():
    assert_both_pass(str(Path(__file__).with_name("keras_ranks.py")), CHECKS)
