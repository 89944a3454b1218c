"""Benchmarks: what a model can do, row by row, so that before and after a cure can be compared."""
