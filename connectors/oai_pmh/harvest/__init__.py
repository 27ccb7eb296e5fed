"""The harvest: pages fetched strictly and durably, records out of them, and what holds the two together over time. docs/flows/oai_harvest.md"""
