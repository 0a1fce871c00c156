"""Requests to servers that somebody else names: one client, which connects to public addresses only."""
