"""What can be done to a table. Runs in worker processes only."""
