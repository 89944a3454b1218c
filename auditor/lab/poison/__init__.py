"""Poisoning training data."""
