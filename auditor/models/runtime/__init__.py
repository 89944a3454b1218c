"""Loaded models, and what they can be asked."""
