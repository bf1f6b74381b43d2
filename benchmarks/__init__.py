"""Measurements: crash runs, cost of the flow. Each prints its figures last, as name=value pairs."""
