"""What of two models can be merged."""
