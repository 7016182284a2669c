from bench import core


def test_the_core_is_measured_for_every_load() -> None:
    rows = core.measure(rounds=1)

    assert len(rows) == len(core.LOADS)
    assert all(limit == "150 ms" for _, limit, _ in rows)
