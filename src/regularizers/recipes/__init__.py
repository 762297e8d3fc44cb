"""Whole training jobs that put the library to work on real data, run from the command line."""
