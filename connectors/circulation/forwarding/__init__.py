"""Store and forward: self-service goes on while the library system is away, and tells it afterwards. docs/flows/circulation_ils.md"""

from connectors.circulation.forwarding.backend import Forwarding, opened
from connectors.circulation.forwarding.policy import Policy

__all__ = ["Forwarding", "Policy", "opened"]
