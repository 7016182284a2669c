"""Names of versions and the bases that they belong to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phase_operator.core.targets.versions import Made, is_version, prunable, versioned_name

DIGEST = "0123456789abcdef" * 2
LONG = "a" * 253


def test_a_version_is_named_by_its_content() -> None:
    assert versioned_name("shop", DIGEST) == "shop-0123456789"


@pytest.mark.parametrize(
    ("name", "version"),
    [
        pytest.param("shop-0123456789", True, id="a version"),
        pytest.param("shop", False, id="the base itself"),
        pytest.param("shop-012345678", False, id="too short"),
        pytest.param("shop-01234567890", False, id="too long"),
        pytest.param("shop-012345678g", False, id="no hex digit"),
        pytest.param("shop-0123456789\n", False, id="a line break"),
        pytest.param("shop-eu-0123456789", False, id="a version of another"),
        pytest.param("my-shop-0123456789", False, id="another that ends alike"),
    ],
)
def test_a_version_is_known_by_its_name(name: str, version: bool) -> None:
    assert is_version(name, "shop") is version


def test_a_base_that_is_too_long_is_cut_and_stays_apart() -> None:
    one, other = versioned_name(LONG, DIGEST), versioned_name(LONG[:-1] + "b", DIGEST)

    assert len(one) == 253
    assert one != other
    assert is_version(one, LONG)


def test_a_base_is_not_cut_into_an_illegal_name() -> None:
    assert versioned_name("a" * 240 + ".-" + "b" * 11, DIGEST).startswith("a" * 240 + "-")


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?", fullmatch=True), st.binary(min_size=5, max_size=16))
def test_every_version_belongs_to_its_base_and_fits(base: str, digest: bytes) -> None:
    name = versioned_name(base, digest.hex())

    assert len(name) <= 253
    assert is_version(name, base)


@pytest.mark.parametrize(
    ("keep", "newest", "gone"),
    [
        pytest.param(1, "c", ["a", "b"], id="one stays"),
        pytest.param(2, "c", ["a"], id="two stay"),
        pytest.param(3, "c", [], id="all stay"),
        pytest.param(9, "c", [], id="more than there are"),
        pytest.param(2, "a", ["b"], id="the newest content was made first"),
        pytest.param(1, "not made yet", ["a", "b", "c"], id="the newest is not there"),
    ],
)
def test_the_oldest_are_spare(keep: int, newest: str, gone: list[str]) -> None:
    versions = [Made(name, f"2030-01-0{number}T00:00:00Z") for number, name in ((3, "c"), (1, "a"), (2, "b"))]

    assert [each.name for each in prunable(versions, keep, newest)] == gone
