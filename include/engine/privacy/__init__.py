"""Keeping persons out of what does not need to know them."""
