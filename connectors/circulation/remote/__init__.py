"""What every library system behind a REST interface needs: pooled calls within a budget, and what was learnt a moment ago."""
