"""What is seen: Textual screens that draw events and records, and start jobs. No torch, no SQL."""
