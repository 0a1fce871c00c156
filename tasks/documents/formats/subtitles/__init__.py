"""Formats for players and editors of video."""
