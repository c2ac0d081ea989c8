"""Choose or weigh the source rows that are like the target's."""
