"""`mqa explain`: where an account stands, and why."""
