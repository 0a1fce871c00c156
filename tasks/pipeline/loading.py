"""LOAD: the models that the stages to come need; a moment when they are in memory."""

from db.domain.values import Options, Stage
from tasks.pipeline.stages import Stages
from tasks.pipeline.types import Progressed, SpeechEngine, StageSkipped

LIKELIEST = "en"  # the language whose aligner is loaded before it is known which one is spoken


def load(
    engine: SpeechEngine, options: Options, known: str | None, stages: Stages, *, aligning: bool, diarizing: bool
) -> None:
    """Load what is needed in this attempt, whatever an earlier one had in its memory."""
    wanted = {Stage.TRANSCRIBE: stages.needed(Stage.TRANSCRIBE), Stage.ALIGN: aligning, Stage.DIARIZE: diarizing}
    needed = [stage for stage, is_wanted in wanted.items() if is_wanted]
    if not needed:
        stages.tell(StageSkipped(stage=Stage.LOAD))
        return
    language = known or options.language or LIKELIEST

    def work() -> None:
        engine.load(options, needed, language, lambda done: stages.tell(Progressed(stage=Stage.LOAD, fraction=done)))

    stages.do(Stage.LOAD, work)
