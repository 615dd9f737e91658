"""``mqa resolve``: whose an event is, and why no other method found its account."""
