"""Stored reports and their export."""
