"""What is remembered: records that everyone sees, and the catalog that keeps them. Nothing above it writes SQL."""
