"""The SoundSpaces 2.0 backend: SoundSpaces' own simulator in a child process."""
