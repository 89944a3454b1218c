"""What was asked, as values with their command line."""
