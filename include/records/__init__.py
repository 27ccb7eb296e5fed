"""One record as the person reads it who catalogued, ordered or exported it: MARC tag by tag, EDI segment by segment, CSV by column."""
