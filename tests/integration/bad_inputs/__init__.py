"""What callers get wrong, and the documented error that each gets."""
