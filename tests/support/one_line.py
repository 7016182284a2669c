"""A program that runs its argument: a line of Python."""

import sys


def main() -> None:
    """Run it."""
    exec(sys.argv[1])
