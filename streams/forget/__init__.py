"""``mqa forget``: what an environment keeps of a person or a visitor goes."""
