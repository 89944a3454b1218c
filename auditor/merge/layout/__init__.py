"""Which tensors a merge writes, and from what."""
