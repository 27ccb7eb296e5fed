"""ADHL ("andre der har lånt"): loans to DBC, the relations between titles, their lookup service, and a client. See docs/flows/adhl_relations.md."""
