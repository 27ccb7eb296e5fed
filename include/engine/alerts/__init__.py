"""Mails to integration engineers about what needs them: once, with a link to the board. docs/flows/dispatch.md"""
