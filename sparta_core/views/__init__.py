"""What the encoder is shown of a day."""
