"""Every place in the repository that says the version is known to a release."""

import os
import re
import subprocess

import pytest

from manifests.objects import ROOT
from phase_dev.release import checkout
from phase_dev.release.versions import changed, following, unknown
from phase_operator import __version__


@pytest.fixture(scope="module")
def repository() -> dict[str, str]:
    if not checkout.is_checkout(ROOT):
        pytest.skip("WHAT A RELEASE WOULD CHANGE IS NOT CHECKED: only git knows which files are of the repository")
    return checkout.texts(ROOT)


def test_every_place_in_the_repository_that_says_the_version_is_known(repository: dict[str, str]) -> None:
    assert list(unknown(repository, __version__)) == []


def test_a_new_version_leaves_the_old_one_nowhere(repository: dict[str, str]) -> None:
    new = following(__version__, released=True)

    after = repository | changed(repository, __version__, new)

    word = re.compile(rf"(?<![\w.]){re.escape(__version__)}(?![\w.]*\d)")
    assert [path for path, text in after.items() if word.search(text)] == []


@pytest.mark.parametrize(
    "path",
    [
        *("operator/phase_operator/__init__.py", "pyproject.toml", "helm/phase-operator/Chart.yaml"),
        *("deploy/base/deployment.yaml", "deploy/install.yaml", "docs/operating/install.md"),
    ],
)
def test_a_new_version_is_in_each_file_that_must_say_it(path: str, repository: dict[str, str]) -> None:
    after = changed(repository, __version__, "98.7.6")

    assert "98.7.6" in after[path]


def test_make_takes_the_version_from_its_command_line_and_from_nowhere_else() -> None:
    def said(*arguments: str) -> str:
        command = ["make", "--dry-run", "release", "release-dry", *arguments]
        environment = {"PATH": os.environ["PATH"], "VERSION": "9.9.9"}
        return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout

    assert 'release run ""' in said()
    assert "9.9.9" not in said()
    assert 'release run "1.2.3"' in said("VERSION=1.2.3")
    assert 'release dry "1.2.3"' in said("VERSION=1.2.3")
