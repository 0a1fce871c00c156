"""Formats that are plain text for people."""
