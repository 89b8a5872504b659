"""Writes the vectors: an implementation of the encoding that shares no code with remofile-proto."""
