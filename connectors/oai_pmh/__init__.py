"""OAI-PMH 2.0 (openarchives.org): repositories that we harvest, and a provider by which others harvest the lake."""
