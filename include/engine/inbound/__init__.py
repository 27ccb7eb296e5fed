"""The inbound hand-offs: receive (and stage), gate (and bind), publish, acknowledge. docs/flows/ils_import.md draws them.

Each step is a plain function of the engine, a delivery's id and a connector, is fenced by the token of its try, and may run twice.
"""
