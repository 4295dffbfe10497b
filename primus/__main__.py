"""`python -m primus` is the `primus` command."""

from primus.cli import main

main()
