"""`python -m phase_operator` is the console script."""

from phase_operator.cli import main

main()
