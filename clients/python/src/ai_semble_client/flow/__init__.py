"""Workflow files: read and checked as the orchestrator does it, with its own modules; see scripts/lib/vendor.py."""
