"""Explain a choice that was made: which sources, rows, layers and columns it rests on."""
