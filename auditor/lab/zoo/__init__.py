"""Sets of models with known backdoors, and how well the auditor does on them."""
