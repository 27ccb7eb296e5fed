"""The flow `adhl_upload`: loans to DBC. docs/flows/adhl_upload.md"""
