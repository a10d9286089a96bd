"""A scene, a pose and a sound source become RGB, depth and binaural audio."""
