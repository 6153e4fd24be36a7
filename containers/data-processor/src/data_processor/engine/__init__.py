"""DuckDB, and everything that reads or writes files with it. Runs in worker processes only."""
