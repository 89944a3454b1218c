"""Which models can be merged with a suspect, and how independent they are."""
