"""Deterministic simulation of the commit unit: the product's own code on a broker in memory, under every fault, without waiting."""
