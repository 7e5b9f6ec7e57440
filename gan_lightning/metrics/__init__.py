"""Metrics of samples, on torchmetrics."""
