"""Running and finished jobs."""
