"""What has been made: a fitted model on disk, and the one door that answers with it."""
