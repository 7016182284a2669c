"""`phase-operator run` with little patience: what stands still fails its liveness after seconds."""

import asyncio
import sys
from pathlib import Path

from phase_operator import wiring
from phase_operator.settings import load

# So many seconds.
STUCK = 3.0
PROGRAM = (str(Path(__file__)),)


def main() -> int:
    """Run until stopped; every flag is followed by its value."""
    pairs = zip(sys.argv[1::2], sys.argv[2::2], strict=True)
    flags = {flag.removeprefix("--").replace("-", "_"): value for flag, value in pairs}
    return asyncio.run(wiring.run(load(flags), wiring.Patience(stuck=STUCK, sweep=1.0)))


if __name__ == "__main__":
    sys.exit(main())
