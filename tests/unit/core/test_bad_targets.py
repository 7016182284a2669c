"""The invariant: one bad target does not stop the others, wherever it stands among them."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from phase_operator.api.reasons import Reason
from phase_operator.core.errors import ExpectedError
from phase_operator.core.targets.desired import Desired
from support.builders import config_entry, entry, spec
from support.evaluating import evaluate
from support.examples import examples

Target = dict[str, Any]

ENTRIES = [entry("A", "a"), entry("B", "bytes: no base64"), entry("D", "d", path="/below"), config_entry("C", "c")]
GOOD: tuple[Target, ...] = (
    {},
    {"format": "json"},
    {"nameTransformer": "camel", "prefix": "x."},
    {"path": "/below", "keys": {"include": ["D"]}},
    {"template": {"data": {"text": "{{ C | default('none') }}"}}},
    {"template": {"metadata": {"annotations": {"level": "{{ C | default('none') }}"}}}},
    {"immutable": True, "format": "toml"},
)
BAD: tuple[tuple[Target, Reason], ...] = (
    ({"keys": {"include": ["NOT_THERE"]}}, Reason.NO_ENTRIES),
    ({"path": "/empty"}, Reason.NO_ENTRIES),
    ({"processors": {"A": {"asName": "x"}, "B": {"asName": "x"}, "C": {"asName": "x"}}}, Reason.KEY_COLLISION),
    ({"processors": {"B": {"type": "base64"}, "C": {"type": "base64"}}}, Reason.VALUE_INVALID),
    ({"format": "dockerconfigjson"}, Reason.VALUE_INVALID),
    ({"template": {"data": {"text": "{{ NOT_THERE }}"}}}, Reason.TEMPLATE_FAILED),
    ({"template": {"data": {"text": "{% for a in b %}"}}}, Reason.TEMPLATE_INVALID),
    ({"template": {"metadata": {"labels": {"a": "{{"}}}}, Reason.TEMPLATE_INVALID),
    ({"secretType": "kubernetes.io/tls"}, Reason.TYPE_MISMATCH),
    ({"secretType": "kubernetes.io/service-account-token"}, Reason.TYPE_NOT_SUPPORTED),
)
# These are bad with two entries, or as a Secret; the one entry of type config makes a good ConfigMap of them.
OF_SECRETS = {Reason.KEY_COLLISION, Reason.TYPE_MISMATCH, Reason.TYPE_NOT_SUPPORTED}

CHOICES: list[tuple[Target, Reason | None]] = [(target, None) for target in GOOD] + list(BAD)
FOR_CONFIG = [
    (target, reason) for target, reason in CHOICES if reason not in OF_SECRETS and target.get("path") != "/below"
]


@given(
    st.lists(st.sampled_from(CHOICES), max_size=12),
    st.lists(st.sampled_from(FOR_CONFIG), max_size=6),
)
@settings(max_examples=examples(150))
def test_exactly_the_bad_ones_are_errors(
    secrets: list[tuple[Target, Reason | None]], config_maps: list[tuple[Target, Reason | None]]
) -> None:
    chosen = [*secrets, *config_maps]
    document = spec(
        recursive=True,
        managedSecretReferences=[{"secretName": f"s{n}", **target} for n, (target, _) in enumerate(secrets)],
        managedConfigMapReferences=[{"configMapName": f"c{n}", **target} for n, (target, _) in enumerate(config_maps)],
    )

    found = evaluate(document, ENTRIES)

    assert [each.reason if isinstance(each, ExpectedError) else None for each in found] == [why for _, why in chosen]


@given(st.permutations(CHOICES))
@settings(max_examples=30)
def test_a_good_target_is_the_same_in_every_company(company: list[tuple[Target, Reason | None]]) -> None:
    def made(targets: list[tuple[Target, Reason | None]]) -> list[Desired]:
        references = [{"secretName": f"s{CHOICES.index(each)}", **each[0]} for each in targets]
        found = evaluate(spec(recursive=True, managedSecretReferences=references), ENTRIES)
        return [each for each in found if isinstance(each, Desired)]

    together = {each.ref: each.digest for each in made(company)}
    # `path` of one target makes the folders of all count, so that each is compared beside the one with a path.
    alone = {each.ref: each.digest for choice in company for each in made([choice])}

    assert together == alone
