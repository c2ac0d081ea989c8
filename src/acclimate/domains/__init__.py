"""Markets and the problems cut out of them."""
