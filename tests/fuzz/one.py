"""Fuzz one target in this process: `FUZZ_TARGET=NAME python -m fuzz.one [arguments of libFuzzer]`.

`python -m fuzz` runs it. The arguments are libFuzzer's alone, since it starts itself anew with them.
"""

import logging
import os
import sys

import atheris


def main() -> None:
    """Hand the process over to the fuzzer, which ends it."""
    name = os.environ["FUZZ_TARGET"]
    logging.disable()
    with atheris.instrument_imports(include=["phase_operator", "fuzz"]):
        from fuzz.targets import run
    atheris.Setup([os.environ.get("FUZZ_PROGRAM", sys.argv[0]), *sys.argv[1:]], lambda data: run(name, data))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
