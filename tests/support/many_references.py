"""Environments with very many references: as people may have them, and as an attacker makes them."""

HOSTILE = (
    "many small",
    "a web",
    "a long chain",
    "wide chains",
    "one of signs",
    "one of slashes",
    "one of small references",
    "one of different references",
    "a long one with leftovers",
)


def chain(length: int, width: int = 1) -> dict[str, str]:
    """Make secrets of which each names the next so many times; the last is a letter."""
    return {f"K{number:05}": f"${{K{number + 1:05}}}" * width for number in range(length - 1)} | {
        f"K{length - 1:05}": "x"
    }


def usual(number: int) -> dict[str, str]:
    """Make so many values, each with two references, of which one is to one of a hundred."""
    values = {f"URL_{each:05}": f"postgres://${{USER}}:${{PASSWORD_{each % 100:02}}}@db/app" for each in range(number)}
    return values | {"USER": "app"} | {f"PASSWORD_{each:02}": f"p{each}" * 8 for each in range(100)}


def hostile(kind: str) -> dict[str, str]:
    """Make the values of an environment that is as hard to resolve as one kind can be made, by their keys."""
    made: dict[str, dict[str, str]] = {
        "many small": {f"K{number:05}": "${A}" for number in range(10_000)} | {"A": "a"},
        "a web": {
            f"K{number:05}": f"${{K{number * 7 % 9_999:05}}}${{K{number * 13 % 9_998:05}}}" for number in range(9_999)
        },
        "a long chain": chain(10_000),
        "wide chains": chain(9_000, width=3),
        "one of signs": {"A": "${" * 700_000, "B": "$" * 1_000_000, "C": "${a" * 500_000, "D": "{}" * 500_000},
        "one of slashes": {
            "A": "${" + "/a" * 700_000 + "}",
            "B": "${" + "//" * 700_000 + "}",
            "C": "${:" * 400_000 + "}",
        },
        "one of small references": {"A": "${B}" * 350_000, "B": "b"},
        "one of different references": {"A": "".join(f"${{{number}}}" for number in range(150_000)), "B": "b"},
        "a long one with leftovers": {
            "A": "x" * 1_000_000 + "".join(f"${{L{number}}}" for number in range(500)),
            **{f"L{number}": "${NOPE}" for number in range(500)},
        },
    }
    return made[kind]
