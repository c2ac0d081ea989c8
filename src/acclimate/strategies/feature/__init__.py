"""Bring the features of sources and target closer together."""
