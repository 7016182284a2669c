from phase_operator.cli.migrating import names_check
from phase_operator.cli.migrating.findings import Severity
from phase_operator.core.source.apps import App, Environment
from support.builders import parsed

SHOP, BACKEND = App("id-shop", "Shop"), App("id-backend", "shop-backend")


def test_an_app_by_its_whole_name_is_the_same() -> None:
    assert names_check.app(parsed(phaseApp="shop"), [SHOP, BACKEND]) == names_check.Choice("id-shop")


def test_an_app_by_its_id_is_not_looked_up() -> None:
    assert names_check.app(parsed(phaseAppId="id-1"), []) == names_check.Choice("id-1")


def test_an_app_by_a_part_of_its_name_stops_and_is_named() -> None:
    choice = names_check.app(parsed(phaseApp="backend"), [SHOP, BACKEND])

    [finding] = choice.findings
    assert (choice.read, finding.severity) == ("id-backend", Severity.STOPS)
    assert "AppNotFound" in finding.what
    assert '"shop-backend"' in finding.cure


def test_an_app_that_neither_finds_stops_without_advice() -> None:
    choice = names_check.app(parsed(phaseApp="nothing"), [SHOP])

    assert choice.read is None
    assert choice.findings[0].cure == ""


def test_another_app_of_the_same_name_breaks() -> None:
    lower, upper = App("id-1", "SHOP"), App("id-2", "shop")

    choice = names_check.app(parsed(phaseApp="shop"), [lower, upper])

    [finding] = choice.findings
    assert (choice.read, finding.severity) == ("id-2", Severity.BREAKS)


def test_an_environment_by_its_whole_name_is_the_same() -> None:
    found = names_check.environment(parsed(phaseAppEnv="STAGING"), [Environment("Staging"), Environment("Prod")])

    assert found == names_check.Choice("Staging")


def test_an_environment_whose_name_another_holds_breaks() -> None:
    choice = names_check.environment(parsed(phaseAppEnv="prod"), [Environment("Pre-Prod"), Environment("Prod")])

    [finding] = choice.findings
    assert (choice.read, finding.severity) == ("Prod", Severity.BREAKS)
    assert '"Pre-Prod"' in finding.what


def test_an_environment_by_a_part_of_its_name_stops_and_is_named() -> None:
    choice = names_check.environment(parsed(phaseAppEnv="prod"), [Environment("Production")])

    [finding] = choice.findings
    assert (choice.read, finding.severity) == ("Production", Severity.STOPS)
    assert '"Production"' in finding.cure


def test_an_environment_that_neither_finds_stops() -> None:
    choice = names_check.environment(parsed(phaseAppEnv="qa"), [Environment("Production")])

    assert choice.read is None
    assert choice.findings[0].severity is Severity.STOPS


def test_no_environment_is_production_for_both() -> None:
    assert names_check.environment(parsed(), [Environment("Production")]).findings == ()
