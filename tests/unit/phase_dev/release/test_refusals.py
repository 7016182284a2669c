"""What keeps a release from being made: a sentence for each, and all of them at once."""

from dataclasses import replace

import pytest

from phase_dev.release.refusals import Checkout, refusals

NEWS = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n"
CLEAN = Checkout(changed=(), tags=("v0.1.0", "v0.2.0", "v0.10.0"), version="0.10.0", changelog=NEWS)


def test_a_clean_checkout_and_a_newer_version_are_not_refused() -> None:
    for version in ("0.10.1", "0.11.0", "1.0.0"):
        assert refusals(version, CLEAN) == []


def test_the_first_release_may_be_the_version_that_the_checkout_says() -> None:
    assert refusals("0.1.0", replace(CLEAN, tags=(), version="0.1.0")) == []


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        ("", '"" is no version of a release: it is three numbers, such as VERSION=1.2.3'),
        ("v1.2.3", '"v1.2.3" is no version of a release: it is three numbers, such as VERSION=1.2.3'),
        ("0.2.0", "the tag v0.2.0 exists: a version is released once"),
        ("0.9.9", "0.9.9 is not newer than the release 0.10.0"),
    ],
)
def test_a_version_that_cannot_be_released_is_refused(version: str, sentence: str) -> None:
    assert refusals(version, CLEAN) == [sentence]


def test_a_version_older_than_the_checkouts_is_refused() -> None:
    assert refusals("0.3.0", replace(CLEAN, tags=(), version="0.4.0")) == [
        "0.3.0 is not newer than 0.4.0, which the checkout says"
    ]


def test_a_tag_that_is_no_version_is_no_release() -> None:
    assert refusals("0.1.0", replace(CLEAN, tags=("v9-rehearsal", "vacation"), version="0.1.0")) == []


def test_a_dirty_tree_is_refused_with_the_first_files() -> None:
    found = refusals("1.0.0", replace(CLEAN, changed=("a", "b", "c", "d", "e")))

    assert found == ["the checkout has changes that are not committed: a, b, c and 2 more"]


def test_a_place_that_would_keep_the_old_version_is_refused() -> None:
    found = refusals("1.0.0", replace(CLEAN, unknown_places=("docs/a.md:1: b",)))

    assert found == ["a release would miss the version in docs/a.md:1: b"]


def test_a_release_without_news_is_refused() -> None:
    [sentence] = refusals("1.0.0", replace(CLEAN, changelog="## [Unreleased]\n\n## [0.10.0] - 2026-01-01\n\n- Old.\n"))

    assert sentence == "CHANGELOG.md has nothing under Unreleased: a release says what is new"


def test_all_that_is_wrong_is_said_at_once() -> None:
    found = refusals("x", replace(CLEAN, changed=("a",), changelog=""), ["owner.toml: a"])

    assert len(found) == 4
