"""Every screen over a small catalog that is always the same: for pictures and for tests."""
