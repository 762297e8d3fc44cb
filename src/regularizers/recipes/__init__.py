"""Complete training jobs on real data, run from the command line."""
