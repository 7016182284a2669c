"""Workloads that follow targets: what their pods have read, and whether to restart them."""
