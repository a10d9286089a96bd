"""AVW: audio-visual world models. Simulate, generate, learn, navigate."""
