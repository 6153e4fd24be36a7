"""The HTTP surface of the orchestrator."""
