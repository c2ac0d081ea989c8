"""What is predicted, which score says how well, what the independent unit is."""
