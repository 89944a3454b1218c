"""What is asked: attack families, controls, suites, detectors and rates. NumPy and SciPy only."""
