"""The embedded back end: a store of its own, so that circulation works when there is no library system, or when it is away."""
