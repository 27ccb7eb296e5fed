"""Bytes at a URI: listing, reading and writing partners' inboxes, judging when a file is whole, landing it sealed, and unpacking it."""
