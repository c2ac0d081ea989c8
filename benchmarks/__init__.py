"""Measurements of acclimate: `python -m benchmarks --list` names them."""
