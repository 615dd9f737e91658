"""A broker on this machine, without Docker."""
