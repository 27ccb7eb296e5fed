"""Bytes at rest that only the holder of a key can read, and keys that can be destroyed."""
