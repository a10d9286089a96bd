"""The simulator bridge: from a scene, a pose and a sound source to RGB, depth and binaural audio."""
