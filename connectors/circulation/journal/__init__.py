"""The journal: what was answered "ok" is durable before the answer leaves, in order, sealed. docs/decisions/circulation-journal.md"""

from connectors.circulation.journal.reading import Entry, before, identity, last, read
from connectors.circulation.journal.writing import Journal, JournalFailed

__all__ = ["Entry", "Journal", "JournalFailed", "before", "identity", "last", "read"]
