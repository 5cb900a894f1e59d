"""A day on the globe: where it comes from, and how it reaches the model."""
