"""`render --show-values` prints byte for byte what the operator writes, but for what its key and its cluster decide.

tests/integration/operator/test_golden.py compares the same output with the objects that an operator has written.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from phase_dev import documents
from phase_operator.api.crd import as_yaml
from phase_operator.cli import cli
from phase_operator.cli.rendering.objects import without_keyed
from phase_operator.core.errors import ExpectedError
from phase_operator.core.pipeline import render_all
from phase_operator.core.values import ObjectKey, Snapshot
from support.builders import DIGEST_KEY, UID, owner, parsed
from support.cli_files import pair_written
from support.golden import Pair, pairs, shown, unkeyed

PAIRS = pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["render", *arguments], prog_name="phase-operator")


@PAIRS
def test_a_pair_is_printed_byte_for_byte(pair: Pair, tmp_path: Path) -> None:
    spec = parsed(**{"managedSecretReferences": None, "phaseHost": None} | pair.spec("team"))
    made = render_all(spec, owner(ObjectKey("team", pair.name)), Snapshot.of("", pair.entries()), DIGEST_KEY)
    results = [each.result for each in made]
    wanted = [
        as_yaml(without_keyed(each.manifest, has_uid=True)) for each in results if not isinstance(each, ExpectedError)
    ]

    result = call(*pair_written(tmp_path, pair, "team", UID), "--show-values")

    assert result.stdout == "---\n".join(wanted)
    assert result.exit_code == (1 if len(wanted) < len(results) else 0), result.stderr


@PAIRS
def test_a_pair_comes_out_as_written(pair: Pair, tmp_path: Path) -> None:
    result = call(*pair_written(tmp_path, pair, "team", UID), "--show-values")

    objects = list(documents.load_all(result.stdout))
    assert [shown(each, "team") for each in objects] == list(map(unkeyed, pair.document["objects"]))
    refused: dict[str, str] = pair.document.get("refused", {})
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    for error, (ref, reason) in zip(errors, refused.items(), strict=True):
        assert error.startswith(f"error: {ref.replace(' ', ' team/')}: {reason}: ")


@PAIRS
def test_a_pair_without_uid_refers_to_nobody_by_it(pair: Pair, tmp_path: Path) -> None:
    result = call(*pair_written(tmp_path, pair, "team"))

    for each in documents.load_all(result.stdout):
        assert "ownerReferences" not in each["metadata"]
        assert not any("origin" in name for name in each["metadata"].get("annotations", {}))


@PAIRS
def test_a_masked_pair_has_its_keys_and_no_value(pair: Pair, tmp_path: Path) -> None:
    arguments = pair_written(tmp_path, pair, "team", UID)

    masked, plain = (list(documents.load_all(call(*arguments, *more).stdout)) for more in ([], ["--show-values"]))

    for field in ("data", "binaryData"):
        assert [each.get(field, {}).keys() for each in masked] == [each.get(field, {}).keys() for each in plain]
        assert {value for each in masked for value in each.get(field, {}).values()} <= {"********"}
