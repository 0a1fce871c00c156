"""The engine with the offline pack, for all tests that need real models: a process loads them once."""

import pytest

from tasks.pipeline.engine import open_engine
from tasks.pipeline.settings import SpeechSettings
from tasks.pipeline.types import SpeechEngine
from tests.tasks.pipeline.recordings import MODELS


@pytest.fixture(scope="session")
def engine() -> SpeechEngine:
    return open_engine(SpeechSettings(models=MODELS))
