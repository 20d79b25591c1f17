"""Servers that exist for comparison only; each is started as a program of its own."""
