"""Golden pairs without a cluster; tests/integration/operator/test_golden.py has the operator make the same objects."""

import pytest

from phase_operator.core.errors import ExpectedError
from phase_operator.core.pipeline import render_all
from phase_operator.core.values import ObjectKey, Snapshot
from support.builders import DIGEST_KEY, owner, parsed
from support.golden import Pair, pairs, shown, write


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)
def test_a_pair_comes_out_as_written(pair: Pair, update_golden: bool) -> None:
    spec = parsed(**{"managedSecretReferences": None} | pair.spec("team"))
    answer = Snapshot("app", tuple(pair.entries()))
    objects, refused = [], {}

    for each in render_all(spec, owner(ObjectKey("team", pair.name)), answer, DIGEST_KEY):
        made, ref = each.result, each.rendering.ref
        if isinstance(made, ExpectedError):
            refused[f"{ref.kind} {ref.key.name}"] = str(made.reason)
        else:
            objects.append(shown(made.manifest, "team"))

    if update_golden:
        write(pair, objects, refused)
        return
    assert objects == pair.document["objects"]
    assert refused == pair.document.get("refused", {})
