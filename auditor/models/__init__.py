"""Model references, profiles, loading, and the targets that answer."""
