"""A client of the API like any other: what the command line and the demo are made of."""
