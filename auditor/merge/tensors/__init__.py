"""Which tensors a model stores, and under which names."""
