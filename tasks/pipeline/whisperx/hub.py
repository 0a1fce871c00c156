"""Models from the Hugging Face hub, by name: fetched once, then from the disk, also when the hub does not answer."""

import logging
from fnmatch import fnmatch
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import GatedRepoError, LocalEntryNotFoundError, RepositoryNotFoundError

from tasks.pipeline.types import ModelUnavailable

PATIENCE = 10.0
"""Seconds that the hub has for each answer."""

log = logging.getLogger(__name__)


def fetch(name: str, cache: Path, patterns: tuple[str, ...], *, online: bool) -> Path:
    """Return the folder of the newest revision of a model; of the last one seen if the hub is away.

    Raises `ModelUnavailable` with what to do.
    """
    reason: Exception | None = None
    try:
        if online:
            # Asked by itself: the hub's own client would wait for this answer for ever.
            found = HfApi().model_info(name, timeout=PATIENCE)
            for file in (sibling.rfilename for sibling in found.siblings or ()):
                if any(fnmatch(file, pattern) for pattern in patterns):
                    hf_hub_download(name, file, cache_dir=cache, etag_timeout=PATIENCE)
    except GatedRepoError as error:
        raise ModelUnavailable(
            f"“{name}” is behind a licence that was not accepted, or not with this token.",
            f"Accept it at https://hf.co/{name}, make a token at https://hf.co/settings/tokens and set HF_TOKEN to it.",
        ) from error
    except RepositoryNotFoundError as error:
        raise ModelUnavailable(
            f"The hub has no “{name}”, or only for those who may see it.", "Check the name, or set HF_TOKEN."
        ) from error
    except Exception as error:  # noqa: BLE001  dozens of kinds: no network, no answer, a fault of the hub's
        log.warning("the hub did not give %s: %s; looking on the disk", name, error)
        reason = error
    try:
        return Path(snapshot_download(name, cache_dir=cache, local_files_only=True))
    except LocalEntryNotFoundError as error:
        if not online:
            raise ModelUnavailable(
                f"“{name}” is not on this machine, and the hub may not be asked.",
                "Set GRAPHOPHONE_HUB=1, give the folder of a model, or use one of the offline pack.",
            ) from error
        said = str(reason).splitlines()[0] if str(reason) else type(reason).__name__
        raise ModelUnavailable(
            f"“{name}” could not be fetched from the hub: {said}",
            "Check the network (HF_ENDPOINT names another hub), give the folder of a model, or use the offline pack.",
        ) from (reason or error)
