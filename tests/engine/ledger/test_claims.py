"""Claims, tokens and transitions, on both databases."""

from include.engine.delivery import Counts, State
from include.engine.ledger import claims, deliveries


def test_smoke(ledger, new):
    d = deliveries.see(ledger, new())
    assert deliveries.see(ledger, new(id=d.id, path=d.path, mtime_ns=d.mtime_ns)) == d
    assert claims.claim(ledger, d.id).state == "claimed"
    assert claims.claim(ledger, d.id) is None
    t = claims.take(ledger, d.id, "stage")
    claims.advance(ledger, t, State.STAGED, staged_uri="x", counts=Counts(in_=3))
    claims.advance(ledger, t, State.GATED)
    claims.advance(ledger, t, State.PUBLISHED, counts=Counts(in_=3, published=3))
    e = claims.advance(ledger, t, State.ACKNOWLEDGED, hello=1)
    print(e)
    print(deliveries.events(ledger, d.id))
