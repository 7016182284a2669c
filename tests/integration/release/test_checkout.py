"""The repository in Git: read, copied for a release, and moved on when all is built; and commands that are refused."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from phase_dev.image.building import REPOSITORY
from phase_dev.release import changelog, checkout
from phase_dev.release.cli import release
from phase_dev.shell.errors import ToolError

NEWS = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n"


def test_a_checkout_is_read_from_git(tmp_path: Path) -> None:
    _repository(tmp_path)
    (tmp_path / "page.md").write_text("changed")
    (tmp_path / "new.md").write_text("new")
    checkout.git(tmp_path, "tag", "v0.1.0")

    found = checkout.look(tmp_path, "0.1.0")

    assert found.tags == ("v0.1.0",)
    assert set(found.changed) == {"page.md", "new.md"}
    assert found.unknown_places == ()


def test_a_release_is_written_in_a_copy_and_moves_the_checkout_on_at_the_end(tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    _repository(repository)
    before = checkout.git(repository, "rev-parse", "HEAD")

    with checkout.copied(repository, tmp_path / "copy") as copy:
        checkout.write_version(copy, "0.1.0", "0.2.0", "2026-11-29")
        commit = checkout.commit(copy, "0.2.0", rehearsal=True)
        assert checkout.git(repository, "rev-parse", "HEAD") == before
        assert (repository / "page.md").read_text() == "phase-operator:0.1.0"
    checkout.git(repository, "config", "user.name", "a")
    checkout.git(repository, "config", "user.email", "a@example.com")
    checkout.move_on(repository, commit, "0.2.0")

    assert (repository / "page.md").read_text() == "phase-operator:0.2.0"
    assert changelog.notes((repository / changelog.FILE).read_text(), "0.2.0") == "### Added\n\n- A thing."
    assert checkout.git(repository, "rev-list", "-n1", "v0.2.0") == commit
    assert not (tmp_path / "copy").exists()
    assert checkout.look(repository, "0.2.0").changed == ()


def test_files_of_an_archive_are_no_checkout_also_inside_of_one(tmp_path: Path) -> None:
    _repository(tmp_path)
    inside = tmp_path / "unpacked"
    inside.mkdir()
    (inside / changelog.FILE).write_text(NEWS)

    assert checkout.is_checkout(tmp_path)
    assert not checkout.is_checkout(inside)


def test_a_failure_of_git_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match=r"git tag: fatal: not a git repository"):
        checkout.git(tmp_path, "tag")


def _repository(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "page.md").write_text("phase-operator:0.1.0")
    (folder / changelog.FILE).write_text(NEWS)
    checkout.git(folder, "init", "--quiet")
    checkout.git(folder, "add", ".")
    checkout.git(folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "First")


def test_a_command_that_is_refused_says_every_reason_in_a_line() -> None:
    """A version that is none: whatever the checkout is like, nothing can be published from here."""
    if not checkout.is_checkout(REPOSITORY):
        pytest.skip("NO RELEASE IS REFUSED: one is made from a checkout of git")

    answer = CliRunner().invoke(release, ["run", "1.2"])

    assert answer.exit_code == 1
    assert '"1.2" is no version of a release: it is three numbers, such as VERSION=1.2.3' in answer.output
    assert "Traceback" not in answer.output
