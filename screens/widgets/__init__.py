"""One widget a file, each with its own keys, help, messages and default look."""
