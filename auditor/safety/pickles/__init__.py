"""Pickles, and the archives that hold them, followed without running what they say."""
