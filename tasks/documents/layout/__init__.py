"""The shaping of text: captions and their lines, turns and paragraphs, word times, fonts."""
