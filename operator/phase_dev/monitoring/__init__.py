"""What Prometheus and Grafana know of the operator: alerts and a dashboard, written by `make generate`."""
