"""Formats for programs: tables, annotations, JSON."""
