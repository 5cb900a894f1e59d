"""SPARTA: representations of weather learned from sparse data."""

__version__ = "0.1.0"
