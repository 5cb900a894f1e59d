"""Tasks on the frozen embeddings."""
