"""Torch modules; they know neither data nor losses."""
