from db.domain.values import ErrorCode, FeatureFacts, ModelFacts, Problem, WorkerFacts
from db.queue import workers
from tasks.documents.registry import FORMATS
from tests.fixtures.graph import Graph

CAPABILITIES = """{ capabilities { version models { name languages loaded default } alignmentLanguages
  diarization { available reason model } exportFormats audioFormats maxUploadBytes maxDurationSeconds queueDepth
  workersOnline problems { code message remedy } } }"""


async def test_without_workers_nothing_is_promised(graph: Graph) -> None:
    await graph.job()
    found = (await graph.data(CAPABILITIES))["capabilities"]
    assert found == {
        "version": "1.2.3", "models": [], "alignmentLanguages": [], "exportFormats": list(FORMATS),
        "diarization": {"available": False, "reason": "No speech worker is online.", "model": None},
        "audioFormats": ["wav", "mp3"], "maxUploadBytes": 1_000_000, "maxDurationSeconds": 3600.0, "queueDepth": 1,
        "workersOnline": 0, "problems": [],
    }  # fmt: skip


async def test_what_the_workers_report_is_what_is_shown(graph: Graph) -> None:
    async with graph.db.write() as session:
        tiny = ModelFacts(name="tiny", languages=("en",), default=True)
        facts = WorkerFacts(
            models=(tiny, ModelFacts(name="large")),
            alignment_languages=("en",),
            diarization=FeatureFacts(available=False, reason="No weights: run make models."),
        )
        await workers.beat(session, "w1", "speech", facts)
        loaded = WorkerFacts(
            models=(ModelFacts(name="large", loaded=True),), diarization=FeatureFacts(available=True, model="m")
        )
        await workers.beat(session, "w2", "speech", loaded)
        await workers.beat(session, "w3", "io", WorkerFacts())
    found = (await graph.data(CAPABILITIES))["capabilities"]
    assert found["models"] == [
        {"name": "tiny", "languages": ["en"], "loaded": False, "default": True},
        {"name": "large", "languages": [], "loaded": True, "default": False},
    ]
    assert (found["alignmentLanguages"], found["workersOnline"]) == (["en"], 2)
    assert found["diarization"] == {"available": True, "reason": None, "model": "m"}


async def test_a_worker_that_cannot_work_is_not_online_and_says_why(graph: Graph) -> None:
    problem = Problem(code=ErrorCode.MODEL_UNAVAILABLE, message="The model is damaged.", remedy="Run `make models`.")
    async with graph.db.write() as session:
        for number in range(2):
            await workers.beat(session, f"w{number}", "speech", WorkerFacts(problems=(problem,)))
    found = (await graph.data(CAPABILITIES))["capabilities"]
    told = {"code": "MODEL_UNAVAILABLE", "message": "The model is damaged.", "remedy": "Run `make models`."}
    assert (found["workersOnline"], found["problems"]) == (0, [told])


async def test_a_worker_that_went_down_is_not_online(graph: Graph) -> None:
    async with graph.db.write() as session:
        for _ in range(2):  # the second heartbeat replaces the first
            await workers.beat(session, "w1", "speech", WorkerFacts())
    assert (await graph.data(CAPABILITIES))["capabilities"]["workersOnline"] == 1
    async with graph.db.write() as session:
        await workers.gone(session, "w1")
    assert (await graph.data(CAPABILITIES))["capabilities"]["workersOnline"] == 0
