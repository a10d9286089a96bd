"""`python -m cli` is `avw`."""

from cli.main import main

main()
