"""Workloads that follow targets: looked at, noted, restarted and reported."""
