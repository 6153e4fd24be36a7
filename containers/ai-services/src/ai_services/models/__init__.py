"""Models: which there are (catalogue), where they come from (sources), and what is installed (store)."""
