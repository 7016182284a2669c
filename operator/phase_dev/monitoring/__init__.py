"""What Prometheus and Grafana are told about the operator: alerts and a dashboard, written by `make generate`."""
