"""The rooms of the product: the linter's layers, the folders, the maps and the drawing say the same."""

from pathlib import Path

import pytest

from phase_dev import rooms

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("package", rooms.PACKAGES)
def test_the_contract_names_every_room_once(package: str) -> None:
    named = [room for layer in rooms.layers(package, ROOT) for room in layer]

    assert sorted(named) == rooms.rooms(package, ROOT)


@pytest.mark.parametrize("package", rooms.PACKAGES)
def test_the_map_in_a_package_is_the_contract_and_the_rooms_own_words(package: str) -> None:
    text = (ROOT / "operator/phase_operator" / package / "__init__.py").read_text()

    assert [line for line in text.split("\n") if line.startswith("| ")] == [
        "| room | purpose |",
        *rooms.rows(package, ROOT),
    ]


def test_a_drawing_has_rows_of_one_width() -> None:
    assert rooms.drawing([["access", "status"], ["targets"], ["a", "b", "c"]]).split("\n") == [
        "┌────────┬────────┐",
        "│ access │ status │",
        "└────────┴────────┘",
        "┌─────────────────┐",
        "│     targets     │",
        "└─────────────────┘",
        "┌─────┬─────┬─────┐",
        "│  a  │  b  │  c  │",
        "└─────┴─────┴─────┘",
    ]
