"""What was released, answered over HTTP."""
