"""The tables of benchmarks, and what a candidate's texts are filled with."""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import candidate, compare, processes
from bench.candidate import Candidate, Unusable, filled
from bench.table import Table, together

SAMPLES = Path(compare.__file__).parent / "samples"
FIGURES = Path(__file__).parents[3] / "docs/operating/figures.md"
NAMES = {name: f"a-{name}" for name in candidate.EVERYWHERE | candidate.IN_A_NAMESPACE | candidate.IN_A_RESOURCE}


def table(*cells: str) -> Table:
    return Table(rows=[(f"work {number}", "limit", cell) for number, cell in enumerate(cells)])


def test_several_runs_show_the_median_of_each_number_and_its_range() -> None:
    runs = [
        table("2.13 x (62.6 s; bare 33.3 s)", "0.20 s (p99 of 50), 0 reads"),
        table("1.90 x (52.0 s; bare 33.3 s)", "0.31 s (p99 of 50), 0 reads"),
        table("2.00 x (9.5 s; bare 33.3 s)", "1.00 s (p99 of 50), 0 reads"),
    ]

    assert [row[-1] for row in together(runs).rows] == [
        "2.00 [1.90 to 2.13] x (52.0 [9.5 to 62.6] s; bare 33.3 s)",
        "0.31 [0.20 to 1.00] s (p99 of 50), 0 reads",
    ]


def test_one_run_is_shown_as_it_is() -> None:
    assert together([table("1 read; 3.4 s")]).text() == table("1 read; 3.4 s").text()


def test_runs_that_say_different_things_are_all_shown() -> None:
    assert together([table("none"), table("3 s")]).rows == [("work 0", "limit", "none / 3 s")]


def test_placeholders_are_filled_and_every_other_brace_and_dollar_stays() -> None:
    text = "jsonPath: $.a ${name} {{ .phase.token }} {name} $name"

    assert filled(text, {"name": "cr-1"}, "a template") == "jsonPath: $.a cr-1 {{ .phase.token }} {name} $name"


def test_an_unknown_placeholder_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(Unusable, match=r"^the command: there is no \$\{nmae\} here; there are name, size$"):
        filled("run ${nmae}", {"name": "cr-1", "size": "3"}, "the command")


def of_samples(name: str) -> Candidate:
    options = ["--name", name, "--command", "run", "--template", str(SAMPLES / f"{name}.yaml")]
    options += ["--each-namespace", str(SAMPLES / f"{name}-namespace.yaml")]
    return compare.candidate_of(compare.arguments().parse_args(options))


@pytest.mark.parametrize("name", ["phase-operator", "external-secrets"])
def test_samples_use_no_other_placeholders_than_there_are(name: str) -> None:
    sample = of_samples(name)

    documents: list[dict[str, Any]] = [*sample.documents(NAMES), sample.resource(NAMES)]

    assert "Secret" in {each["kind"] for each in documents}
    assert documents[-1]["metadata"]["name"] == sample.secret(NAMES) == "a-name"
    assert "${" not in yaml.safe_dump_all(documents)


@pytest.mark.parametrize("name", ["external-secrets", "external-secrets-namespace"])
def test_the_page_shows_the_samples_as_they_are(name: str) -> None:
    assert (SAMPLES / f"{name}.yaml").read_text() in FIGURES.read_text()


def test_a_process_is_as_old_as_the_kernel_says() -> None:
    age = processes.now() - processes.started(os.getpid())

    assert 0.0 < age < 24 * 3600
    assert processes.cpu_of_tree(os.getpid()) > 0.0
    assert processes.memory_of_tree(os.getpid()) > 1.0


def test_a_process_that_has_ended_costs_nothing() -> None:
    nobody = 2**22 + 1

    assert processes.cpu_of_tree(nobody) == processes.memory_of_tree(nobody) == 0.0
