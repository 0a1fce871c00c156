"""Real parts for the tests, each in a file of its own."""

pytest_plugins = [
    "tests.fixtures.leaks",
    "tests.fixtures.databases",
    "tests.fixtures.brokers",
    "tests.fixtures.servers",
    "tests.fixtures.workers",
    "tests.fixtures.graph",
    "tests.fixtures.web",
    "tests.fixtures.uploading",
    "tests.fixtures.issuer",
    "tests.fixtures.otlp",
    "tests.fixtures.receivers",
]
