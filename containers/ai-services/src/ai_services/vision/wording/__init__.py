"""Answers in English words."""
