"""The operator's settings of the speech engine."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from db.settings import SETTINGS


class SpeechSettings(BaseSettings):
    """Models and the hardware that they run on."""

    model_config = SETTINGS

    models: Path = Field(
        default=Path("data/models"), description="The folder of the models, shared by all data folders."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(default="auto", description="The device that the models run on.")
    compute_type: str = Field(
        default="auto",
        description="CTranslate2's type of numbers, such as int8 or float16; auto: what suits the device.",
    )
    batch_size: int = Field(default=0, ge=0, description="Pieces of 30 s recognised at once; 0: as suits the device.")
    threads: int = Field(default=0, ge=0, description="Processor threads of each model; 0: all cores.")
    diarization: str = Field(
        default="", description="A pyannote pipeline, by folder or name on the hub; empty: the one of the offline pack."
    )
    hub: bool = Field(default=False, description="Fetch models from the Hugging Face hub by name.")
    hf_token: str = Field(
        default="", validation_alias="HF_TOKEN", description="The hub's token, for models behind a licence."
    )
