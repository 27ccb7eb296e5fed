"""Records set aside: with their place, their reason and their original bytes."""
