"""What a page has its reader do: files to save and commands to run, as the tests of the pages find them."""

import pytest

from support.pages import NOT_RUN, ROOT, SavedFile, commands_of, not_run, steps_of

WALKED = ("README.md", "docs/tutorial.md")


def commands(page: str) -> list[str]:
    return [each for each in steps_of((ROOT / page).read_text()) if isinstance(each, str)]


def test_a_command_goes_on_in_indented_lines_and_ends_where_it_says_something() -> None:
    block = "$ helm install x \\\n    --wait\nPhaseSecret ready\n  Secret shop: ~ KEY\n$ next\n"

    assert commands_of(block) == ["helm install x \\\n    --wait", "next"]


def test_a_block_of_yaml_is_a_file_if_it_begins_with_its_name() -> None:
    text = "```yaml\n# a.yaml\nkind: A\n```\n```yaml\nkind: B\n```\n```console\n$ apply\n```\n"

    assert list(steps_of(text)) == [SavedFile("a.yaml", "# a.yaml\nkind: A\n"), "apply"]


@pytest.mark.parametrize(
    ("command", "is_run"),
    [("docker build .", False), ("kind create cluster", False), ("kindly", True), ("kubectl exec x", False)],
)
def test_a_command_is_left_out_by_the_words_with_which_it_begins(command: str, is_run: bool) -> None:
    assert (not_run(command) is None) is is_run


def test_every_reason_to_leave_a_command_out_is_needed() -> None:
    left_out = [each for page in WALKED for each in commands(page) if not_run(each)]

    assert {words for words in NOT_RUN if any(each.startswith(words) for each in left_out)} == set(NOT_RUN)


@pytest.mark.parametrize("page", WALKED)
def test_most_commands_of_a_page_are_run(page: str) -> None:
    found = commands(page)

    assert len(found) >= 10
    assert sum(not_run(each) is None for each in found) > len(found) / 2


@pytest.mark.parametrize("page", WALKED)
def test_a_page_has_its_reader_apply_only_files_that_it_shows(page: str) -> None:
    shown = {each.name for each in steps_of((ROOT / page).read_text()) if isinstance(each, SavedFile)}

    applied = {each.removeprefix("kubectl apply -f ") for each in commands(page) if "kubectl apply -f " in each}
    written = {each.split("--output ")[1] for each in commands(page) if "--output " in each}
    assert {each for each in applied if each.endswith(".yaml")} - written == shown
