"""What leaves the house: selected from the lake, held against a contract, rendered, sent part by part, and confirmed."""
