"""What the references of an encrypted app take: CPU time, and the longest step between two pauses.

cd tests && ../.venv/bin/python -m bench.references
"""

import sys
import time
from collections.abc import Mapping

from phase_operator.core.source.references import References
from support.builders import entry
from support.keyrings import keyring, place
from support.many_references import HOSTILE, hostile, usual

ROUNDS = 3
# Milliseconds of one step.
LIMIT = 50.0


def measured(values: Mapping[str, str]) -> tuple[float, float]:
    """Resolve the values once; return all milliseconds, and those of the longest step."""
    held = [entry(key, value) for key, value in values.items()]
    apps = keyring({"shop": ["dev"]})
    began = last = time.process_time()
    found = References(apps, place("shop", "dev"), held)
    longest = 0.0
    steps = found.steps()
    while True:
        ended = next(steps, found) is found
        now = time.process_time()
        longest, last = max(longest, now - last), now
        if ended:
            break
    found.resolved()
    return (time.process_time() - began) * 1000, longest * 1000


def main() -> None:
    """Print a table; exit with 1 if a step is too long."""
    cases = {f"{number:,} values with two references": usual(number) for number in (1_000, 10_000)}
    cases |= {f"hostile: {kind}": hostile(kind) for kind in HOSTILE}
    missed = False
    print("| | ms | longest step, ms |\n|---|---|---|")
    for name, values in cases.items():
        total, longest = (min(each) for each in zip(*(measured(values) for _ in range(ROUNDS)), strict=True))
        missed |= longest > LIMIT
        print(f"| {name} | {total:,.0f} | {longest:.0f} |")
    sys.exit(missed)


if __name__ == "__main__":
    main()
