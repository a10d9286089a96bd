"""Self-tests of the physics: the checks that `avw doctor` runs and that the test suite repeats."""
