"""The geometry of latent space: how days lie in it, and how they follow each other."""
