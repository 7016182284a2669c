"""Fuzz one target in this process: `python -m fuzz.one NAME [arguments of libFuzzer]`; run by `python -m fuzz`."""

import logging
import sys

import atheris


def main() -> None:
    """Hand the process over to the fuzzer, which ends it."""
    name, *arguments = sys.argv[1:]
    logging.disable()
    with atheris.instrument_imports(include=["phase_operator"]):
        from fuzz.targets import run
    atheris.Setup([sys.argv[0], *arguments], lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
