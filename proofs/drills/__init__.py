"""Drills: real processes of the shop and of PostgreSQL, killed and brought back under sales."""
