"""The records that the watch of Secrets shows, and who is woken when one changes or goes."""

from typing import Any

from phase_operator.api import names
from phase_operator.core.leases.facts import Record
from phase_operator.core.leases.record import manifest, record_ref
from phase_operator.core.refs import Kind, Owner, TargetRef
from phase_operator.core.values import ObjectKey
from phase_operator.kube.record_cache import RecordCache, RecordSink
from phase_operator.kube.target_cache import TargetCache, TargetSink

KEY = ObjectKey("team", "uploads", names.KIND_PHASE_DYNAMIC_SECRET)
OWNER = Owner(KEY, "uid-1")
REF = record_ref(KEY, "0a1b2c3d")


def shown(version: int = 7, owner: Owner = OWNER, **more: Any) -> dict[str, Any]:
    """Return the metadata of a record as the watch shows it."""
    metadata: dict[str, Any] = manifest(owner, "0a1b2c3d", Record("lease-1", 1_800_000_000.0), [])["metadata"]
    entry = {"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": {"f:data": {"f:credentials": {}}}}
    return metadata | {"uid": "u", "resourceVersion": str(version), "managedFields": [entry]} | more


class Watched:
    """The sink of the watch of Secrets, with all that it tells."""

    def __init__(self) -> None:
        self.records, self.known = RecordCache(), TargetCache()
        self.woken: list[ObjectKey] = []
        sink = RecordSink(self.records, self.woken.append)
        self.sink = TargetSink(Kind.SECRET, self.known, lambda _: None, lambda: None, sink)


def test_a_record_is_known_by_the_uid_of_its_resource_and_is_no_target() -> None:
    watched = Watched()

    watched.sink.seen(shown())

    (known,) = watched.records.of("uid-1").values()
    assert known.record == Record("lease-1", 1_800_000_000.0)
    assert watched.known.get(REF) is None
    assert not watched.known.marked(KEY)
    assert watched.woken == [KEY]


def test_the_event_of_our_own_write_wakes_nobody() -> None:
    watched = Watched()
    watched.records.seen(REF, shown())

    watched.sink.seen(shown())

    assert watched.woken == []


def test_a_record_that_goes_or_loses_its_marks_is_forgotten_and_its_resource_runs() -> None:
    for end in ("gone", "unreadable", "listed", "no label", "no owner"):
        watched = Watched()
        watched.records.seen(REF, shown())
        match end:
            case "gone":
                watched.sink.gone(shown(8))
            case "unreadable":
                watched.sink.unreadable(REF.key)
            case "listed":
                watched.sink.listed("", set())
            case "no label":
                watched.sink.seen(shown(8, labels={}))
            case "no owner":
                watched.sink.seen(shown(8, ownerReferences=[]))

        assert not watched.records.of("uid-1"), end
        assert watched.woken == [KEY], end
        assert len(watched.records) == 0


def test_a_list_of_one_namespace_says_nothing_of_another() -> None:
    watched = Watched()
    watched.records.seen(REF, shown())

    watched.sink.listed("elsewhere", set())
    watched.sink.listed("team", {REF.key})

    assert watched.records.of("uid-1")
    assert watched.woken == []


def test_a_mark_that_names_a_resource_of_another_namespace_wakes_nobody() -> None:
    watched = Watched()
    stranger = Owner(ObjectKey("elsewhere", "uploads", names.KIND_PHASE_DYNAMIC_SECRET), "uid-2")

    watched.sink.seen(shown(owner=stranger) | {"namespace": "team"})

    assert watched.woken == []


def test_secrets_without_our_label_are_not_kept() -> None:
    watched = Watched()
    for number in range(100):
        watched.sink.seen({"namespace": "team", "name": f"s{number}", "uid": "u", "resourceVersion": "1"})

    assert len(watched.records) == 0
    assert TargetRef(Kind.SECRET, ObjectKey("team", "s1")) not in watched.records
