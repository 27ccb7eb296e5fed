"""The provider: the lake's bibliographic records for whoever harvests over OAI-PMH 2.0. See docs/flows/oai_provider.md."""
