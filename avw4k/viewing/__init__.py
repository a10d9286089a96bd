"""Seeing and hearing a dataset: a local page, and the same as one file."""
