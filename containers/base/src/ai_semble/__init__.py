"""What every Ai-semble service stands on."""

__version__ = "2.0.0"
