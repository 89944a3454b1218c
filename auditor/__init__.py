"""Finds backdoors in language models, merges them away, and proves it."""

__version__ = "0.1.0"
