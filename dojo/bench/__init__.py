"""Measure what code costs: races between implementations, the machine they ran on, results files, tables, pictures."""
