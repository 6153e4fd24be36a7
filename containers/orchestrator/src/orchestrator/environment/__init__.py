"""The environment as a whole: the health and the metrics of all its services."""
