"""Whose is an IP address? Networks of companies, providers and data centres, from tables (CSV) and MaxMind DB files."""
