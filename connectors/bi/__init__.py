"""BI feeds: the lake's titles, items, patrons and loans as a star schema in plain Parquet, for analysts. See docs/flows/bi_feeds.md."""
