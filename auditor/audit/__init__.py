"""The whole loop: scan, cure, rescan, comparison and stamp."""
