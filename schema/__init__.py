"""The graph: types, queries, mutations and subscriptions."""

from schema.graph import build_schema, sdl

__all__ = ["build_schema", "sdl"]
