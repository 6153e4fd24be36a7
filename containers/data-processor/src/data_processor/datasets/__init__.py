"""The datasets of an environment: files in one folder."""
