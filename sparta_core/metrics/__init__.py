"""Metrics: pure functions of tensors, one noun a file."""
