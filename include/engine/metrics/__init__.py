"""Figures of every partner and flow for Prometheus and OpenTelemetry, read from the ledger: docs/metrics.md"""
