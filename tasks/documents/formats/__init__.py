"""The formats, one a file; `tasks.documents.registry` finds them by their `FORMAT`."""
