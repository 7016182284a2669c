"""Plugins only; no hidden magic."""

pytest_plugins = ["support.canary", "support.distribution", "support.early", "support.examples", "support.golden"]
