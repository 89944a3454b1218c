"""Scanning, and a scan's result."""
