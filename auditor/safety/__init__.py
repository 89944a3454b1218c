"""What a model's files hold, told before anything is loaded: parsed within bounds, and never run."""
