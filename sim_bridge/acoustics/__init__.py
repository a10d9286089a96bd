"""Acoustics: impulse responses from a source to a listener, and the continuous sound of an episode."""
