"""Reconstruction: whole fields from sparse ones, by the representation itself."""
