"""From who-is-who in overlapping windows to one line of turns, as pyannote.audio does it, without its large arrays."""

import numpy as np
from pyannote.core import SlidingWindow

from tasks.pipeline.types import Turn

Active = np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
Clusters = np.ndarray[tuple[int, int], np.dtype[np.int64]]


def reconstruct(
    active: Active, clusters: Clusters, window: SlidingWindow, frame: SlidingWindow, most: int | None
) -> list[Turn]:
    """Return turns of each cluster: in every frame the most active ones, as many as speak there on average.

    `active` is (windows, frames, speakers), `clusters` the cluster of each (window, speaker) or -2 for nobody.
    """
    windows, frames, _ = active.shape
    number = int(clusters.max()) + 1
    if number < 1:
        return []
    starts = [frame.closest_frame(window[i].start + 0.5 * frame.duration) for i in range(windows)]
    total = starts[-1] + frames
    votes = np.zeros((total, number), np.uint16)
    speaking = np.zeros(total, np.float32)
    seen = np.zeros(total, np.float32)
    for start, own, who in zip(starts, active, clusters, strict=True):
        for cluster in np.unique(who[who >= 0]):
            votes[start : start + frames, cluster] += own[:, who == cluster].max(axis=1)
        speaking[start : start + frames] += own.sum(axis=1)
        seen[start : start + frames] += 1
    count = np.rint(speaking / np.maximum(seen, 1e-12)).astype(np.int64)
    if most is not None:
        count = np.minimum(count, most)
    return [turn for k in range(number) for turn in _turns(_chosen(votes, count, k), frame, f"SPEAKER_{k:02d}")]


def _chosen(
    votes: np.ndarray[tuple[int, int], np.dtype[np.uint16]], count: np.ndarray[tuple[int], np.dtype[np.int64]], k: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """For each frame and cluster: True if it is among the `count` with most votes there; of equals the first."""
    own = votes[:, k : k + 1]
    ahead = (votes[:, :k] >= own).sum(axis=1) + (votes[:, k + 1 :] > own).sum(axis=1)
    chosen: np.ndarray[tuple[int], np.dtype[np.bool_]] = ahead < count
    return chosen


def _turns(chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], frame: SlidingWindow, name: str) -> list[Turn]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    last = len(chosen) - 1
    return [
        Turn(round(max(0.0, frame[int(on)].middle), 3), round(frame[min(int(off), last)].middle, 3), name)
        for on, off in edges.reshape(-1, 2)
    ]
