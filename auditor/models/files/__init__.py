"""Model files, parsed and never loaded."""
