"""Answers drawn onto their picture."""
