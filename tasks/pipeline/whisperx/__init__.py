"""The speech engine over WhisperX and pyannote. Only the worker's child process imports what is in here."""
