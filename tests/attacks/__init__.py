"""Attacks, and the controls that stop them. security/README.md is the table of them."""
