"""`make demo`: four made-up libraries deliver, and every figure is held against what must come of it."""
