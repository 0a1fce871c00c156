"""The sources of recognition models: the offline pack, a folder, or the hub."""

import re
from pathlib import Path
from typing import NamedTuple

from faster_whisper.utils import _MODELS as SHORT_NAMES

from tasks.models import pack
from tasks.models.weights import names
from tasks.pipeline.types import ModelUnavailable
from tasks.pipeline.whisperx import hub

WEIGHTS = "model.bin"
FILES = ("config.json", "preprocessor_config.json", WEIGHTS, "tokenizer.json", "vocabulary.*")


class Found(NamedTuple):
    """A model in CTranslate2's format, and what it exactly is."""

    folder: Path
    exact: str


class Sources:
    """Models by name. A folder anywhere is only for the operator, who says so with `own`: names come from clients."""

    def __init__(self, models: Path, *, online: bool) -> None:
        self.models, self.online = models, online
        self.own = ""
        self._here: list[str] | None = None

    def find(self, name: str) -> Found:
        """Return the model, whole; raises `ModelUnavailable` with what to do."""
        folder = self._folder(name)
        if name in names():
            faults = pack.faults(self.models, name)
            if faults:
                raise ModelUnavailable(
                    f"The recognition model “{name}” is not whole: {'; '.join(faults)}.",
                    f"Run `make models`, which fetches it into {self.models}.",
                )
        if folder is not None:
            return Found(folder, f"{name}@sha256:{pack.sha256(folder / WEIGHTS)}")
        if not re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name) or (name not in SHORT_NAMES and "/" not in name):
            raise ModelUnavailable(
                f"There is no recognition model “{name}” here.",
                "Use one of the offline pack (`make models`), the folder of a CTranslate2 model, or a name on the hub.",
            )
        fetched = hub.fetch(SHORT_NAMES.get(name, name), self.models / "hub", FILES, online=self.online)
        return Found(fetched, f"{name}@{fetched.name}")

    def here(self) -> list[str]:
        """Return the names of the models in the models' folder that are whole, as they were when first asked for."""
        if self._here is None:
            folders = sorted(path.parent.name for path in self.models.glob(f"*/{WEIGHTS}"))
            self._here = [name for name in folders if name not in names() or not pack.faults(self.models, name)]
        return self._here

    def _folder(self, name: str) -> Path | None:
        places = [self.models / name] if re.fullmatch(r"(?!\.)[\w.-]+", name) else []
        if name == self.own:
            places.append(Path(name))
        return next((place for place in places if (place / WEIGHTS).is_file()), None)
