"""People in Phase's Console and a push: nobody's entry is touched unasked, and what the spec says about it holds."""

from support.push_stage import NAME, PushStage


def test_an_entry_of_a_person_is_named_and_untouched_until_the_spec_takes_it_over(world: PushStage) -> None:
    world.person_sets("PASSWORD", "a person's", comment="ask Ada")
    theirs = world.entry("PASSWORD")
    world.source("db", {"username": "shop", "password": "first-password"})
    world.push_secret()

    message = world.until_said("EntryConflict")["message"]
    assert f"{world.root}/PASSWORD" in message
    assert "it was made in Phase; updatePolicy: Replace takes it over" in message
    assert world.entry("PASSWORD") == theirs
    assert world.values()["USERNAME"] == "shop"
    assert world.resource()["status"]["entriesInStep"] == 1

    # What is there may stay as it is.
    world.push_secret(updatePolicy="IfNotExists")
    world.until_in_step(1)
    assert world.entry("PASSWORD") == theirs

    world.push_secret(updatePolicy="Replace")
    world.until_in_step(2)
    taken = world.entry("PASSWORD")
    assert (taken.id, taken.value) == (theirs.id, "first-password")
    assert taken.comment.startswith("ask Ada\nmanaged by phase-operator: ")
    assert taken.comment.endswith(f"/{world.namespace}/{NAME}")


def test_edits_and_deletions_by_people_are_undone_at_the_next_probe(world: PushStage) -> None:
    world.source("db", {"edited": "first-edited", "deleted": "first-deleted"})
    world.push_secret()
    world.until_in_step(2)

    world.person_sets("EDITED", "a person's")
    world.phase.delete("shop", "Production", "DELETED", path=world.root)
    world.later(5)

    world.until_pushed({"EDITED": "first-edited", "DELETED": "first-deleted"})
    world.until_event("EntryRestored", "/DELETED")
    world.until_in_step(2)


def test_a_person_who_takes_the_mark_off_takes_the_entry(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret()
    world.until_in_step(1)

    world.person_sets("PASSWORD", "a person's", comment="mine now")
    world.later(5)

    world.until_said("EntryConflict")
    assert world.values() == {"PASSWORD": "a person's"}
    # It is not deleted with the resource either.
    world.remove()
    world.until_gone()
    assert world.values() == {"PASSWORD": "a person's"}


def test_entries_that_are_made_and_never_changed_stay_as_people_leave_them(world: PushStage) -> None:
    world.source("db", {"password": "first-password"})
    world.push_secret(updatePolicy="IfNotExists")
    world.until_in_step(1)

    world.person_sets("PASSWORD", "a person's")
    world.source("db", {"password": "second-password", "port": "5432"})

    world.until_pushed({"PASSWORD": "a person's", "PORT": "5432"})
    world.later(5)
    world.until_in_step()
    assert world.values()["PASSWORD"] == "a person's"
    assert world.phase.calls(method="PUT") == 0


def test_a_sealed_entry_changes_only_if_the_spec_has_it_made_anew(world: PushStage) -> None:
    source = {"secretName": "db", "type": "sealed"}
    world.source("db", {"password": "first-password"})
    world.push_secret(sources=[source])
    world.until_in_step(1)
    before = world.entry("PASSWORD")

    world.source("db", {"password": "second-password"})
    assert f"{world.root}/PASSWORD" in world.until_said("EntrySealed")["message"]
    assert world.entry("PASSWORD") == before

    world.push_secret(sources=[source], onTypeChange="Replace")
    world.until_pushed({"PASSWORD": "second-password"})
    world.until_in_step(1)
    assert world.entry("PASSWORD").type == "sealed"

    # Another type is the same to Phase: it has to be another entry.
    world.push_secret(sources=[{"secretName": "db"}], onTypeChange="Replace")
    world.later(5)
    world.until_in_step(1)
    assert (world.entry("PASSWORD").type, world.values()) == ("secret", {"PASSWORD": "second-password"})
