"""Models that write: prompts, batched decoding, and how likely a model finds a text."""
