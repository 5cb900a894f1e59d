"""The explorer of latent space: what it shows, how it paints it fast, and its widgets."""
