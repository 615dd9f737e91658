"""``mqa webhooks``: tier changes as HTTP requests, signed by the Standard Webhooks convention, in order for each account.

Each subscription is a consumer group of its own (`subscriber`), so that no endpoint holds up another. Its changes wait in a lane for each
account (`lanes`); a courier tries one until it is taken or parked (`courier`, `attempt`); the position that is committed is the lowest
that is neither (`undelivered`).
"""
