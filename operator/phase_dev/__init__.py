"""phase_dev: what people run beside the operator: an embedded Phase, a cluster on loopback, the demo."""
