"""Reference values of what AVW simulates, in `golden.json`; renewed by `python -m tests.golden`."""
