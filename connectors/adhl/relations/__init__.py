"""The relations between titles, "those who borrowed this also borrowed": made from the lake, released so that no patron shows."""
