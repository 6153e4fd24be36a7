"""One process per operation, so that nothing an operation does can harm the service."""
