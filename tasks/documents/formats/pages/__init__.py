"""Formats with a layout of their own, to be handed to somebody."""
