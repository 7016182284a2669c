"""Golden pairs without a cluster; tests/integration/operator/test_golden.py has the operator make the same objects."""

import pytest

from phase_operator.core.errors import ExpectedError
from phase_operator.core.source.folders import folders
from phase_operator.core.source.query import ask_of, source_query
from phase_operator.core.source.selection import select
from phase_operator.core.targets.rendering import renderings
from phase_operator.core.values import ObjectKey
from support.builders import DIGEST_KEY, owner, parsed
from support.golden import Pair, pairs, shown, write


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)
def test_a_pair_comes_out_as_written(pair: Pair, update_golden: bool) -> None:
    spec = parsed(**{"managedSecretReferences": None} | pair.spec("team"))
    chosen = select(pair.entries(), source_query(ask_of(spec, "team"), "account"), spec.keys, folders(spec))
    objects, refused = [], {}

    for each in renderings(spec, "team", chosen, DIGEST_KEY):
        try:
            objects.append(shown(each.render(owner(ObjectKey("team", pair.name))).manifest, "team"))
        except ExpectedError as error:
            refused[f"{each.ref.kind} {each.ref.key.name}"] = str(error.reason)

    if update_golden:
        write(pair, objects, refused)
        return
    assert objects == pair.document["objects"]
    assert refused == pair.document.get("refused", {})
