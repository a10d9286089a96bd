"""`python -m avw.cli` is `avw`."""

from avw.cli.main import main

main()
