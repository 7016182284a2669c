"""What something takes is measured without what other threads allocate meanwhile."""

from itertools import count

from support.traced import taken


def test_memory_is_counted_while_it_is_kept() -> None:
    assert 100_000 <= taken(lambda: bytes(100_000)) < 101_000


def test_memory_of_others_in_one_of_the_tries_is_not_counted() -> None:
    others, tries = list[bytes](), count()

    def made() -> bytes:
        if next(tries) == 1:
            others.append(bytes(50_000))
        return bytes(100_000)

    assert 100_000 <= taken(made) < 101_000
    assert len(others) == 1
