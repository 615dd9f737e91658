"""Every account's profile and timeline, kept beside Kafka for whoever looks accounts up.

`accounts-changelog` holds each account's newest state, written in the transaction that changed it, and compacted. The projector reads it
in a group of its own and keeps what it says in a store; nothing here is in the way of a commit, and nothing is lost with the store.
"""
