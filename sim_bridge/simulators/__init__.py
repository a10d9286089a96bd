"""Simulators: the protocol, the embedded simulator, and the Habitat and SoundSpaces backends."""
