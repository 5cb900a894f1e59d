"""Timings of SPARTA against a plain per-sample version of the same views and steps: `python -m benchmarks`."""
