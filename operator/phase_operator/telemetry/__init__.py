"""What the operator reports about itself: logs, metrics, probes."""
