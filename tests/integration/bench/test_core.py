from bench import core


def test_the_core_is_measured_for_every_load() -> None:
    rows = core.measure(rounds=1)

    assert [limit for _, limit, _ in rows] == ["150 ms"] * len(core.LOADS) + ["200 ms"]
