"""GGUF files: read by their header, never loaded."""
