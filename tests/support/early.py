"""Name a test that fails at once: the report at the end comes after minutes, and not at all if the run is ended."""

import pytest


class Early:
    """Writes a line for each failure into the output, in the process that hears of all tests."""

    def __init__(self, terminal: pytest.TerminalReporter) -> None:
        self._terminal = terminal

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write the name of a test that failed, and what was wrong in a line."""
        if report.failed:
            said = report.longreprtext.strip().splitlines()
            wrong = next((line[1:].strip() for line in said if line.startswith("E ")), said[-1] if said else "")
            # The dots of those that passed stand before it.
            self._terminal.line("")
            self._terminal.line(f"{report.nodeid} ({report.when}): {wrong[:200]}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen, unless this is a worker of another process."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Early(terminal))
