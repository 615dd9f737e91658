"""Histories: files of input events, made, imported, played into Kafka or replayed without it."""
