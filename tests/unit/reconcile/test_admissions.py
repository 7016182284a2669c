"""Who was admitted to what, and what an entry changes."""

from typing import Any

from phase_operator.core.access.admission import Admitted, admit
from phase_operator.core.access.tenancy import Tenancy
from phase_operator.core.values import ObjectKey
from phase_operator.reconcile.admissions import Admissions, Change
from support.builders import KEY, TOKEN, parsed, secret_ref

OTHER = ObjectKey("team", "other")
SHOP, FIRST, SECOND = secret_ref(), secret_ref("shop-0000000001"), secret_ref("shop-0000000002")


def admitted(key: ObjectKey = KEY, *names: str, **fields: Any) -> Admitted:
    """Admit a PhaseSecret to Secrets of its own namespace."""
    references = [{"secretName": name} for name in names or ("shop",)]
    return admit(Tenancy(), parsed(managedSecretReferences=references, **fields), key, {})


def test_an_entry_tells_what_is_new_and_what_nobody_has_any_more() -> None:
    found = Admissions()

    assert found.enter(admitted(KEY, "a", "b"), {}).new_targets == (secret_ref("a"), secret_ref("b"))
    assert found.enter(admitted(OTHER, "b"), {}).new_targets == ()
    assert found.enter(admitted(KEY, "c"), {}) == Change((secret_ref("c"),), (secret_ref("a"),))
    assert found.leave(OTHER) == Change((), (secret_ref("b"),))
    assert found.leave(KEY) == Change((), (secret_ref("c"),), (TOKEN,))
    assert (found.targets.things(), found.tokens.things()) == ([], [])


def test_the_newest_version_is_entered_with_its_target() -> None:
    found = Admissions()
    found.enter(admitted(), {SHOP: FIRST.key.name})

    change = found.renew(KEY, {SHOP: SECOND.key.name})

    assert found.targets.uses(KEY) == (SHOP, SECOND)
    assert change == Change((SECOND,), (FIRST,))


def test_versions_of_what_was_not_admitted_are_not_entered() -> None:
    found = Admissions()
    found.renew(KEY, {SHOP: FIRST.key.name})
    found.enter(admitted(), {secret_ref("foreign", "team-b"): "foreign-0000000001"})

    assert found.targets.things() == [SHOP]


def test_a_target_that_is_named_like_a_version_stays_when_the_version_goes() -> None:
    found = Admissions()
    found.enter(admitted(KEY, "shop", FIRST.key.name), {SHOP: FIRST.key.name})

    found.renew(KEY, {SHOP: SECOND.key.name})
    found.renew(KEY, {})

    assert found.targets.uses(KEY) == (SHOP, FIRST)
