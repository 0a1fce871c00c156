"""The console: a page for people who do not write code. Plain ES modules, served as they lie here."""
