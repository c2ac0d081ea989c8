"""Learn tasks together that can teach each other: markets, or labels of the same rows."""
