"""What objects take, by namespace."""

from phase_operator.core.flow.namespace_bytes import NamespaceBytes


def test_each_namespace_has_its_own_part() -> None:
    taken = NamespaceBytes(most=10)
    taken.change("team-a", 0, 6)
    taken.change("team-a", 6, 8)

    assert (taken.left("team-a"), taken.left("team-b")) == (2, 10)


def test_a_namespace_whose_objects_went_is_forgotten() -> None:
    taken = NamespaceBytes(most=10)
    for number in range(100):
        taken.change(f"team-{number}", 0, 6)
        taken.change(f"team-{number}", 6, 0)

    assert (taken.left("team-7"), len(taken._taken)) == (10, 0)
