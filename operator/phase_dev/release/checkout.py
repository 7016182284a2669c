"""The repository in Git: read before a release, copied for it, and moved on when everything is built.

Rule: a release is made in a worktree of its own. The checkout moves on, and gets its tag, when all is there.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from phase_dev.release import changelog, versions
from phase_dev.release.refusals import Checkout
from phase_dev.shell.errors import ToolError
from phase_operator import __version__

# A rehearsal's commit is nobody's.
_NOBODY = ("-c", "user.name=rehearsal", "-c", "user.email=rehearsal@release.invalid", "-c", "commit.gpgsign=false")


def git(repository: Path, *arguments: str) -> str:
    """Run git, and return what it says without the line's end; a failure is its last words."""
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or ["it says nothing"]
        raise ToolError(f"git {arguments[0]}: {said[-1]}")
    return done.stdout.rstrip("\n")


def is_checkout(folder: Path) -> bool:
    """Say whether git keeps the files of a folder, unlike those that were unpacked from an archive of the sources."""
    command = ["git", "-C", str(folder), "ls-files", "--error-unmatch", changelog.FILE]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def look(repository: Path, version: str = __version__) -> Checkout:
    """Read what decides whether a release may be made."""
    return Checkout(
        changed=tuple(line[3:] for line in git(repository, "status", "--porcelain").splitlines()),
        tags=tuple(git(repository, "tag", "--list", "v*").splitlines()),
        version=version,
        changelog=(repository / changelog.FILE).read_text(),
        unknown_places=tuple(versions.unknown(texts(repository), version)),
    )


def texts(repository: Path) -> dict[str, str]:
    """Return the files of the repository that may say the version."""
    found = {}
    for path in git(repository, "ls-files", "-z").split("\0"):
        file = repository / path
        if path and versions.is_ours(path) and file.is_file() and not file.is_symlink():
            found[path] = file.read_bytes().decode(errors="surrogateescape")
    return found


@contextmanager
def copied(repository: Path, folder: Path) -> Iterator[Path]:
    """Give the commit of the checkout in a folder of its own, until the block ends."""
    git(repository, "worktree", "prune")  # of a run that was killed
    git(repository, "worktree", "add", "--quiet", "--detach", str(folder), "HEAD")
    try:
        yield folder
    finally:
        git(repository, "worktree", "remove", "--force", str(folder))


def write_version(copy: Path, old: str, new: str, day: str) -> None:
    """Write the version into every place, and close the changelog."""
    for path, text in versions.changed(texts(copy), old, new).items():
        (copy / path).write_bytes(text.encode(errors="surrogateescape"))
    page = copy / changelog.FILE
    page.write_text(changelog.close(page.read_text(), new, day))


def commit(copy: Path, version: str, *, rehearsal: bool) -> str:
    """Commit all of the copy as the release, and return the commit."""
    who = _NOBODY if rehearsal else ()
    git(copy, *who, "commit", "--quiet", "--all", "--message", f"Release {version}")
    return git(copy, "rev-parse", "HEAD")


def move_on(repository: Path, release: str, version: str) -> None:
    """Take the release's commit into the checkout's branch, and tag it."""
    git(repository, "merge", "--quiet", "--ff-only", release)
    git(repository, "tag", "--annotate", "--message", f"Release {version}", f"v{version}", release)
