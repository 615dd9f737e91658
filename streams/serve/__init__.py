"""``mqa serve``: the HTTP API over the profiles that the projector keeps, and the page made of it."""
