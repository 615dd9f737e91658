"""``mqa dead-letters``: what could not be used, why, and sending it again once the cause is mended."""
