"""The functional core: what accounts, scores and tiers mean. No I/O, no clock, no random, no Faust."""
