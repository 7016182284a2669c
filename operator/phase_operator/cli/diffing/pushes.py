"""Compare the sources of a PhasePushSecret with what Phase has.

Rule: only reads, with the person's own rights.
"""

from phase_operator.api.v1alpha1 import PhaseSecretSpec
from phase_operator.api.v1alpha1.phasepushsecret import PhasePushSecretSpec
from phase_operator.cli.common.phase import of_phase
from phase_operator.cli.common.resources import place_of
from phase_operator.cli.diffing.entries import entry_changes, labels_of, refused, source_of, wanted_of
from phase_operator.cli.diffing.means import SUSPENDED, Body, Means
from phase_operator.cli.diffing.report import Report
from phase_operator.core.access.default_host import host_of, with_host
from phase_operator.core.errors import ExpectedError
from phase_operator.core.json_access import mapping
from phase_operator.core.push.ledger import Ledger, PushPlace
from phase_operator.core.push.looks import Look
from phase_operator.core.push.sources import Source
from phase_operator.core.push.spec import PushSpec, check_token, lowered, push_spec
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.query import Ask, ask_of
from phase_operator.core.values import ObjectKey
from phase_operator.kube.user_resources import SECRETS
from phase_operator.reconcile.context import parsed


async def compared_entries(means: Means, title: str, body: Body, existing: Body | None, namespace: str) -> Report:
    """Return what would be done for a PhasePushSecret; raise Invalid for its spec, UserError, Failure."""
    raw = mapping(body.get("spec"))
    spec = push_spec(parsed(PhasePushSecretSpec, raw))
    there = host_of({"status": mapping(existing).get("status")})
    ask = ask_of(with_host(parsed(PhaseSecretSpec, lowered(raw)), means.default_host or there), namespace)
    check_token(spec, namespace, ask.token_key)
    if spec.is_suspended:
        return Report(title, notes=(SUSPENDED,))
    sources, barred = await _sources(means, spec, namespace, ask.token_key)
    try:
        wanted = wanted_of(spec, sources, barred)
    except ExpectedError as error:
        return Report(title, entries=[refused(error)])
    look = await _look(means, ask)
    key = ObjectKey(namespace, place_of(body).name)
    ledger = Ledger.read(mapping(mapping(existing).get("status")))
    return Report(title, entries=entry_changes(spec, key, wanted, ledger, look))


async def _look(means: Means, ask: Ask) -> Look:
    token = await means.token_of(ask)
    with of_phase():
        credential = means.reader.credential(token.text)
        app_id = (await means.reader.app_id(ask.base_url, credential, ask.app)).lower()
        return await means.reader.look(PushPlace(ask.base_url, app_id, ask.environment), credential, means.now())


async def _sources(
    means: Means, spec: PushSpec, namespace: str, token: ObjectKey
) -> tuple[list[Source], dict[str, str]]:
    """Return the sources, and by name those that are not pushed, each with the reason."""
    found: list[Source] = []
    barred: dict[str, str] = {}
    for (kind, name), body in (await _objects(means, spec, namespace)).items():
        is_home = (kind, name) == (Kind.SECRET, spec.generate_into)
        if body is None:
            if not is_home:
                barred[f"{kind}/{name}"] = "it is not there"
            continue
        rule = spec.rule_of(kind, name, labels_of(body))
        if rule is None:
            continue
        is_token = kind is Kind.SECRET and ObjectKey(namespace, name) == token
        source = source_of(body, kind, rule, is_token=is_token, is_home=is_home)
        if isinstance(source, Source):
            found.append(source)
        else:
            barred[f"{kind}/{name}"] = source
    return found, barred


async def _objects(means: Means, spec: PushSpec, namespace: str) -> dict[tuple[Kind, str], Body | None]:
    """Return all that a spec takes; None for what it names and is not there."""
    homes = [(Kind.SECRET, spec.generate_into)] if spec.generate_into else []
    found: dict[tuple[Kind, str], Body | None] = {
        (kind, name): await means.object(TargetRef(kind, ObjectKey(namespace, name)))
        for kind, name in (*spec.named, *homes)
    }
    for selector in spec.selectors:
        async for item in means.cluster.each(SECRETS, namespace, labels=str(selector)):
            found.setdefault((Kind.SECRET, place_of(item).name), item)
    return found
