"""Array operations of the strategies."""
