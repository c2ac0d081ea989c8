"""What is tried, in which order, for which reason, under which budget."""
