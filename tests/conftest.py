"""Plugins only; no hidden magic."""

pytest_plugins = ["support.canary", "support.distribution", "support.examples", "support.golden"]
