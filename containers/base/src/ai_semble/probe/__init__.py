"""Asks a running service a real question and judges its answer; an update trusts a new image only after this."""
