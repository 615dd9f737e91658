"""``mqa schema``: what is promised of everything that crosses the border, for editors, producers and subscribers."""
