"""The speech engine over WhisperX and pyannote. Only the worker's child process imports what is in here."""

import os

# ONNX Runtime opens a telemetry session with its makers when it is imported; only here is always before that.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
