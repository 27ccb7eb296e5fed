"""What a partner is told of a delivery, in words that a librarian understands and in their own language."""
