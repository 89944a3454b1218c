"""Asking a plan, batch by batch."""
