"""The lake: one Delta table a contract, partitioned by partner, changed one whole delivery at a time.

`publish` is the way in, `read` and `query` the ways out; `retract` takes a delivery back, `maintenance` keeps the tables small and erases.
Data files are written here and named in the Delta log by one commit; the log carries row counts, never a value of a row.
"""
