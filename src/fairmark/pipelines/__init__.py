"""Grading in the pipelines of forges and of Gradescope, without giving the tests away."""
