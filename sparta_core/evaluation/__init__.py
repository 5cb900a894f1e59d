"""Scores, and the baselines that a score is worth nothing without."""
