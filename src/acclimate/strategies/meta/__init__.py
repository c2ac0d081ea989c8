"""Learn across tasks how to learn from a few rows."""
