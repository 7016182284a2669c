"""The changelog: what was unreleased gets the version's heading, and nothing else changes."""

import pytest

from manifests.objects import ROOT
from phase_dev.release import changelog
from phase_dev.release.changelog import close, notes
from phase_dev.shell.errors import ToolError

OPEN = "# Changelog\n\nHead.\n\n## [Unreleased]\n\n### Added\n\n- New.\n\n## [0.1.0] - 2026-01-01\n\n- Old.\n"


def test_the_unreleased_section_becomes_the_versions() -> None:
    closed = close(OPEN, "0.2.0", "2026-11-29")

    assert closed == OPEN.replace("## [Unreleased]\n", "## [Unreleased]\n\n## [0.2.0] - 2026-11-29\n")
    assert [notes(closed, each) for each in ("Unreleased", "0.2.0", "0.1.0", "9.9.9")] == [
        *("", "### Added\n\n- New.", "- Old.", ""),
    ]


def test_a_changelog_that_was_just_closed_cannot_be_closed_again() -> None:
    with pytest.raises(ToolError, match="nothing under Unreleased"):
        close(close(OPEN, "0.2.0", "2026-11-29"), "0.3.0", "2026-11-30")


def test_a_version_that_has_its_section_is_refused() -> None:
    with pytest.raises(ToolError, match=r"0\.1\.0 already"):
        close(OPEN, "0.1.0", "2026-11-29")


def test_our_changelog_can_be_closed() -> None:
    text = (ROOT / changelog.FILE).read_text()

    assert notes(close(text, "98.7.6", "2026-11-29"), "98.7.6") == notes(text, "Unreleased")
