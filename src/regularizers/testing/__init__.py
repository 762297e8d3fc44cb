"""Checks of penalties, our own and other people's: what is wrong is said in words."""

from regularizers.testing._check_penalty import check_penalty

__all__ = ["check_penalty"]
