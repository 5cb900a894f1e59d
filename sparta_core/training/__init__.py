"""Stages: what each trains, on which loss, and where the result is kept."""
