"""Plugins only; no hidden magic."""

pytest_plugins = ["support.canary", "support.examples", "support.golden"]
