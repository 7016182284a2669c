from bench import encrypted


async def test_reading_an_encrypted_app_is_measured_for_every_size() -> None:
    rows = await encrypted.measure(sizes=(10, 20), rounds=1)

    assert [limit for _, limit, _ in rows] == ["1 ms", "-", "2 ms", "-"]
