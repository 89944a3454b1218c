"""Detached commands: started, followed, and how far they are."""
