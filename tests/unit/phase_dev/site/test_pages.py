"""The pages of the site: which files they are, and where their links lead."""

import pytest

from phase_dev.site.pages import is_page, is_shown, of_site

PAGES = {"README.md", "docs/README.md", "docs/a.md", "deploy/README.md"}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("README.md", True),
        ("docs/operating/install.md", True),
        ("deploy/README.md", True),
        ("helm/phase-operator/README.md", True),
        ("docs/api/v1alpha1/examples/phasesecret.yaml", False),
        (".github/PULL_REQUEST_TEMPLATE.md", False),
        ("tests/golden/README.md", False),
        ("operator/phase_dev/troubleshooting/symptoms.md", False),
    ],
)
def test_a_page_is_for_readers(path: str, expected: bool) -> None:
    assert is_page(path) is expected


def test_a_picture_of_the_pages_is_shown_and_others_are_not() -> None:
    assert is_shown("docs/demo.svg")
    assert not is_shown("helm/phase-operator/icon.svg")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("[a](a.md#b)", "[a](a.md#b)", id="a page"),
        pytest.param("[a](../README.md)", "[a](../README.md)", id="a page above"),
        pytest.param("[a](#b)", "[a](#b)", id="a heading"),
        pytest.param("[a](https://a.invalid/b)", "[a](https://a.invalid/b)", id="an address"),
        pytest.param("[a](mailto:a@b.invalid)", "[a](mailto:a@b.invalid)", id="a mailbox"),
        pytest.param("[a](../plugins/phase.yaml)", "[a](tree:plugins/phase.yaml)", id="a file"),
        pytest.param("[a](../controlplane/)", "[a](tree:controlplane)", id="a folder"),
        pytest.param("[a](../x.py#L3)", "[a](tree:x.py#L3)", id="a line of a file"),
        pytest.param("`[a](../x.py)` [b](../x.py)", "`[a](../x.py)` [b](tree:x.py)", id="in code"),
        pytest.param("```\n[a](../x.py)\n```\n[b](../x.py)", "```\n[a](../x.py)\n```\n[b](tree:x.py)", id="a block"),
    ],
)
def test_links_to_what_is_no_page_lead_elsewhere(text: str, expected: str) -> None:
    assert of_site("docs/b.md", text, PAGES, lambda target: f"tree:{target}") == expected


def test_a_block_of_code_names_its_language_and_nothing_else() -> None:
    text = "```text result\nx\n```\n```yaml\na: ```text result\n```\n"

    assert of_site("a.md", text, PAGES, str) == "```text\nx\n```\n```yaml\na: ```text result\n```\n"
