"""Partners, merging and the search for a recipe."""
