"""Evaluation of predictions against the truth, from the command line."""
