"""What watches show of targets, and what of it was our own doing."""

import tracemalloc
from typing import Any

import pytest

from phase_operator.api import names
from phase_operator.core.refs import Kind, TargetRef
from phase_operator.core.source.answer_memory import MIB
from phase_operator.core.targets.observed import Observed, observe
from phase_operator.core.values import ObjectKey
from phase_operator.kube.target_cache import TargetCache, TargetSink

REF = TargetRef(Kind.SECRET, ObjectKey("team", "shop"))


class Watched:
    """A sink with what it reported."""

    def __init__(self) -> None:
        self.touched: list[TargetRef] = []
        self.known = TargetCache()
        self.sink = TargetSink(Kind.SECRET, self.known, self.touched.append, lambda: None)

    def shows(self, version: int, *, ours: bool = True, uid: str = "uid") -> None:
        """Let the watch show a change."""
        self.sink.seen(metadata(version, ours=ours, uid=uid))

    def shows_end(self, version: int) -> None:
        """Let the watch show a deletion."""
        self.sink.gone(metadata(version))

    def end_write(self, version: int | None) -> bool:
        """Let our write be confirmed, or fail."""
        return self.known.end_write(REF, None if version is None else written(version))

    @property
    def version(self) -> str | None:
        """The version that is known."""
        found = self.known.get(REF)
        return found.resource_version if found else None


def metadata(version: int, *, ours: bool = True, uid: str = "uid") -> dict[str, Any]:
    labels = {names.LABEL_TARGET: names.LABEL_TARGET_VALUE} if ours else {}
    return {"namespace": "team", "name": "shop", "uid": uid, "resourceVersion": str(version), "labels": labels}


def written(version: int) -> Observed:
    return observe(metadata(version))


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_copy_of_a_replaced_secret_is_known_by_its_mark(watched: Watched) -> None:
    seen = metadata(5, ours=False)
    seen |= {"labels": {names.LABEL_TARGET: names.LABEL_COPY_VALUE}}
    watched.sink.seen(seen | {"annotations": {names.ANNOTATION_OWNER: "team/shop#copy"}})

    assert watched.known.marked(ObjectKey("team", "shop#copy")).keys() == {REF}
    assert not watched.known.marked(ObjectKey("team", "shop"))


def test_an_edit_of_ours_by_another_is_reported_once(watched: Watched) -> None:
    watched.shows(5)
    watched.shows(5)
    watched.shows(4)

    assert (watched.touched, watched.version) == ([REF], "5")


def test_a_strangers_object_is_reported_and_not_kept(watched: Watched) -> None:
    watched.shows(5, ours=False)

    assert (watched.touched, watched.version) == ([REF], None)


@pytest.mark.parametrize("confirmed_first", [True, False], ids=["after the confirmation", "before the confirmation"])
def test_our_own_write_is_not_reported(watched: Watched, confirmed_first: bool) -> None:
    watched.known.begin_write(REF)
    if not confirmed_first:
        watched.shows(7)
    touched = watched.end_write(7)
    watched.shows(7)

    assert (touched, watched.touched, watched.version) == (False, [], "7")


def test_an_edit_while_we_write_is_told_at_the_end(watched: Watched) -> None:
    watched.known.begin_write(REF)
    watched.shows(7)
    watched.shows(8)

    assert watched.end_write(7)
    assert (watched.touched, watched.version) == ([], "8")


def test_a_deletion_right_after_our_write_is_told_at_the_end(watched: Watched) -> None:
    watched.known.begin_write(REF)
    watched.shows(7)
    watched.shows_end(8)

    assert watched.end_write(7)
    assert watched.version is None


def test_a_deletion_before_our_write_made_it_anew_is_past(watched: Watched) -> None:
    watched.shows(5)
    watched.touched.clear()
    watched.known.begin_write(REF)
    watched.shows_end(6)

    assert not watched.end_write(7)
    assert (watched.touched, watched.version) == ([], "7")


def test_a_target_that_another_made_anew_after_our_write_is_known(watched: Watched) -> None:
    watched.known.begin_write(REF)
    watched.shows_end(8)
    watched.shows(9, uid="another")

    assert watched.end_write(7)
    assert watched.version == "9"


def test_a_change_that_is_seen_during_a_failed_write_is_reported(watched: Watched) -> None:
    watched.known.begin_write(REF)
    watched.shows(8)

    assert watched.end_write(None)
    assert watched.version is None


def test_an_edit_that_is_seen_while_two_write_is_reported(watched: Watched) -> None:
    watched.known.begin_write(REF)
    watched.shows(7)
    watched.known.begin_write(REF)

    assert [watched.end_write(5), watched.end_write(6)] == [True, True]


# By whose marks they are, and which are versions.


def marked(name: str, version: int, namespace: str = "team", **annotations: str) -> dict[str, Any]:
    return {
        "namespace": namespace,
        "name": name,
        "uid": name,
        "resourceVersion": str(version),
        "labels": {names.LABEL_TARGET: names.LABEL_TARGET_VALUE, names.LABEL_VERSION_OF: "base"},
        "annotations": {names.ANNOTATION_OWNER: "team/shop"} | annotations,
    }


def test_a_target_is_found_by_its_mark_as_long_as_it_has_it(watched: Watched) -> None:
    owner = ObjectKey("team", "shop")
    for number in range(3):
        watched.sink.seen(marked(f"t{number}", number + 1))
    watched.sink.seen(marked("far", 9, "elsewhere"))
    assert [ref.key.name for ref in watched.known.marked(owner)] == ["t0", "t1", "t2", "far"]

    watched.sink.gone(marked("t0", 10))
    watched.sink.seen(marked("t1", 11) | {"annotations": {names.ANNOTATION_OWNER: "team/other"}})

    assert [ref.key.name for ref in watched.known.marked(owner)] == ["t2", "far"]
    assert [ref.key.name for ref in watched.known.marked(ObjectKey("team", "other"))] == ["t1"]
    watched.sink.listed("", frozenset())
    assert watched.known.marked(owner) == {}
    assert len(watched.known._at_home) == len(watched.known._elsewhere) == len(watched.known._versions) == 0


def test_a_reference_that_is_kept_elsewhere_is_kept_once() -> None:
    again = TargetRef(Kind.SECRET, ObjectKey("team", "shop"))
    assert again is not REF
    known = TargetCache(lambda ref: REF if ref == REF else ref)

    known.end_write(again, written(1))

    assert next(known.of_kind(Kind.SECRET, "")) is REF


def test_versions_are_found_by_base_and_namespace(watched: Watched) -> None:
    watched.sink.seen(marked("base-1", 1))
    watched.sink.seen(marked("base-2", 2, "elsewhere"))

    found = watched.known.versions(TargetRef(Kind.SECRET, ObjectKey("team", "base")))

    assert [ref.key.name for ref in found] == ["base-1"]
    assert watched.known.versions(TargetRef(Kind.CONFIG_MAP, ObjectKey("team", "base"))) == {}


def test_marks_that_another_namespace_forges_are_bounded(watched: Watched) -> None:
    watched.sink.seen(marked("own", 1))
    for number in range(2000):
        watched.sink.seen(marked(f"forged-{number}", number + 2, "mallory"))

    found = watched.known.marked(ObjectKey("team", "shop"))

    assert TargetRef(Kind.SECRET, ObjectKey("team", "own")) in found
    assert len(found) <= 300


def test_marks_of_another_kind_are_found_by_it_and_bounded_the_same_way(watched: Watched) -> None:
    mark = {names.ANNOTATION_OWNER: "PhaseThing:team/shop"}
    for number in range(300):
        watched.sink.seen(marked(f"own-{number}", number + 1, **mark))
        watched.sink.seen(marked(f"forged-{number}", number + 1, "mallory", **mark))

    found = watched.known.marked(ObjectKey("team", "shop", "PhaseThing"))

    assert len([ref for ref in found if ref.key.namespace == "team"]) == 300
    assert len([ref for ref in found if ref.key.namespace == "mallory"]) < 300
    assert watched.known.marked(ObjectKey("team", "shop")) == {}


MANY = 5_000


def strange(number: int, keys: int = MANY) -> dict[str, Any]:
    """Return an object with our label and so many keys, which somebody else wrote."""
    fields: dict[str, Any] = {f"f:{number}-{key}": {} for key in range(keys)}
    managed = [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:data": fields}}]
    return metadata(1) | {"namespace": "mallory", "name": f"strange-{number}", "managedFields": managed}


@pytest.mark.thorough
def test_the_objects_of_a_namespace_take_a_bounded_share_of_memory_however_many_keys_they_have(
    watched: Watched,
) -> None:
    tracemalloc.start()
    for number in range(80):
        watched.sink.seen(strange(number))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    # Each is reported, kept or not; and others are kept as before.
    assert taken < 24 * MIB
    assert len(watched.touched) == 80
    watched.shows(5)
    assert watched.version == "5"


def test_an_object_weighs_about_what_it_takes() -> None:
    tracemalloc.start()
    found = observe(strange(0))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert 0.7 * taken < found.weight < 2 * taken


def test_an_object_finds_room_once_others_have_gone(watched: Watched) -> None:
    every = [strange(number) for number in range(40)]
    for each in every:
        watched.sink.seen(each)
    kept = [each for each in every if watched.known.get(place(each)) is not None]
    for each in every[:-1]:
        watched.sink.gone(each)
    assert 0 < len(kept) < len(every)
    assert watched.known.get(place(every[-1])) is None

    watched.sink.seen(every[-1])

    assert watched.known.get(place(every[-1])) is not None


def test_an_object_that_changes_again_and_again_counts_once(watched: Watched) -> None:
    found = strange(0)
    for version in range(1, 100):
        watched.sink.seen(found | {"resourceVersion": str(version)})

    known = watched.known.get(place(strange(0)))
    assert known is not None
    assert known.resource_version == "99"


def test_an_object_with_more_keys_than_an_answer_has_entries_is_reported_and_not_judged(watched: Watched) -> None:
    vast = strange(0, 20_001)
    watched.sink.seen(vast)

    assert (watched.touched, watched.known.get(place(vast))) == ([place(vast)], None)


def place(found: dict[str, Any]) -> TargetRef:
    return TargetRef(Kind.SECRET, ObjectKey(found["namespace"], found["name"]))
