"""Students of a suspect, and honest references of a task: what they are made from, and making them."""
