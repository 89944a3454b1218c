"""Rows: files and data sets of the hub."""
