"""Documents made of transcripts: their values, the guard, the formats, and the work of rendering them."""
