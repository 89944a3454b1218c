"""Merging tensors, file by file."""
