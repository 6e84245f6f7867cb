"""`python -m nvr` is the command `nvr`."""

from nvr.cli.main import main

main()
