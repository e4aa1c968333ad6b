"""Health probes, Prometheus metrics, the overview's numbers, the log format."""
